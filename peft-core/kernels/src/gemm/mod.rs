//! Safe, bounds-checked products of strided matrices.
//!
//! | file | is |
//! |---|---|
//! | `view.rs` | a matrix inside a slice, and the checks of operands |
//! | `product.rs` | products of `f32` matrices |
//! | `bf16.rs` | `f32` by `bf16` with sums in `f32`, for frozen weights |
//! | `int8/` | `f32`, rounded to bytes, by a weight of bytes, for inference |
//! | `tiles/` | large products on tile registers (Intel AMX), and products of `bf16` pairs on vectors |
//! | `fma/` | products on vectors of 16 `f32` (AVX-512), with weights of `f32` or `bf16` |
//! | `isa.rs` | the instructions that this processor has |
//! | `block.rs`, `output.rs`, `threads.rs` | what the folders share: a block of results, where it goes, and who computes it |
//!
//! If the processor has tile registers, a large `f32` product is the sum of six `bf16` products: each element is split into
//! three `bf16` numbers whose sum is exact, and only products below the last bit are left out. This is as exact as `f32`
//! arithmetic, and faster. The `gemm` crate computes the products that neither folder takes.
#![allow(
    unsafe_code,
    reason = "products take raw pointers and processor instructions; every call is preceded by the checks that make it \
              sound"
)]

mod bf16;
#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(target_arch = "x86_64")]
mod fma;
mod int8;
#[cfg(target_arch = "x86_64")]
mod isa;
#[cfg(target_arch = "x86_64")]
mod output;
mod product;
#[cfg(test)]
mod tests;
mod threads;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod view;

pub(crate) use self::bf16::{multiply_bf16, product_bf16};
pub use self::int8::{INT8_TRAILER, quantize_row};
pub(crate) use self::int8::{Int8, product_int8, rounded};
pub(crate) use self::product::{batched_product, multiply, multiply_add, product};
pub(crate) use self::threads::Threads;
pub(crate) use self::view::{Matrix, MatrixMut};
