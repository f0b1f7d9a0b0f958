//! Safe, bounds-checked products of strided matrices.
//!
//! | file | is |
//! |---|---|
//! | `view.rs` | a matrix inside a slice, and the checks of operands |
//! | `product.rs` | products of `f32` matrices |
//! | `bf16.rs` | `f32` by `bf16` with sums in `f32`, for frozen weights |
//! | `int8/` | `f32`, rounded to bytes, by a weight of bytes, for inference |
//! | `dot/` | products of contiguous rows by contiguous columns, `x W^T`, with weights of `f32` or `bf16` |
//! | `tiles/` | large products on tile registers (Intel AMX), and products of `bf16` pairs on vectors |
//! | `fma/` | products by a `bf16` weight whose rows are contiguous, on vectors of 16 `f32` (AVX-512) |
//! | `isa.rs` | the instructions that this processor has |
//! | `order.rs` | whether rows must be independent |
//! | `block.rs`, `output.rs`, `threads.rs`, `to_f32.rs` | what the folders share: a block of results, where it goes, who computes it, and how numbers become `f32` |
//!
//! If the processor has tile registers, a large `f32` product is the sum of six `bf16` products: each element is split into
//! three `bf16` numbers whose sum is exact, and only products below the last bit are left out. This is as exact as `f32`
//! arithmetic, and faster. The `gemm` crate computes the products that no folder takes.
//!
//! **Rows do not depend on each other.** In a product `x W^T` (rows of `a` and columns of `b` contiguous), how an element is computed
//! follows from the weight's type and sizes and from the processor, never from the number of rows or threads. So a sentence gets the
//! same bits in every batch. (The `gemm` crate, which computes these products where there is neither AVX2 nor AVX-512, does not promise
//! that.) A caller that trains may ask for the fastest order instead ([`Order`]). Other products, which only
//! gradients need, are computed in the way that is fastest for their sizes.
#![allow(
    unsafe_code,
    reason = "products take raw pointers and processor instructions; every call is preceded by the checks that make it \
              sound"
)]

mod bf16;
#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(target_arch = "x86_64")]
mod dot;
#[cfg(target_arch = "x86_64")]
mod fma;
mod int8;
#[cfg(target_arch = "x86_64")]
mod isa;
mod order;
mod output;
mod product;
#[cfg(test)]
mod tests;
mod threads;
#[cfg(target_arch = "x86_64")]
mod tiles;
#[cfg(target_arch = "x86_64")]
mod to_f32;
mod view;

pub(crate) use self::bf16::{multiply_bf16, product_bf16};
pub use self::int8::{INT8_TRAILER, quantize_row};
pub(crate) use self::int8::{Int8, product_int8, rounded};
pub(crate) use self::order::Order;
pub(crate) use self::product::{
    batched_product, multiply, multiply_add, multiply_in, multiply_padded, product, product_in,
};
pub(crate) use self::threads::Threads;
pub(crate) use self::view::{Matrix, MatrixMut};
