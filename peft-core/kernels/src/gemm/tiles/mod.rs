//! Large products in blocks of 32 by 32. Operands are packed into tiles of `bf16` numbers, which the processor multiplies 16 by
//! 16 by 32 at a time.
//!
//! | file | is |
//! |---|---|
//! | `pack.rs` | packs matrices into tiles, and splits an `f32` number into three of `bf16` |
//! | `amx.rs`, `avx512.rs` | one block of the product, on tile registers or on vectors |
//! | `blocked.rs` | a product in blocks that the threads share |
//! | `skinny_gemm.rs` | few rows by a large weight |
//!
//! The order in which an element is summed depends on the inner dimension only, so its bits do not depend on the number of rows,
//! columns and threads.

mod amx;
mod avx512;
mod blocked;
mod pack;
mod skinny_gemm;

use half::bf16;

use self::blocked::blocked;
use super::isa::Isa;
use super::output::Output;
use super::threads::Threads;
use super::view::Matrix;

/// `out = a b`, or `out += a b` if `out` accumulates, as exact as `f32` arithmetic.
///
/// # Safety
/// As `call` in `product.rs`; the processor must have `isa`.
pub(super) unsafe fn product_f32(isa: Isa, out: Output, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    // SAFETY: by this function's contract.
    unsafe {
        if !out.accumulate && skinny_gemm::applies_to_f32(&a, &b) {
            skinny_gemm::product_f32(out, a, b, threads);
        } else {
            blocked::<f32, 3>(isa, out, a, b, threads);
        }
    }
}

/// `out = a b` with `a` rounded to `bf16`.
///
/// # Safety
/// As [`product_f32`].
pub(super) unsafe fn product_bf16(isa: Isa, out: Output, a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) {
    // SAFETY: by this function's contract.
    unsafe {
        if skinny_gemm::applies(isa, &a, &b) {
            skinny_gemm::product_bf16(out, a, b, threads);
        } else {
            blocked::<bf16, 1>(isa, out, a, b, threads);
        }
    }
}
