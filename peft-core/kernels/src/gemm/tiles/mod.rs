//! Large products in blocks of 32 by 32: operands are packed into tiles of `bf16` numbers, which the processor
//! multiplies 16 by 16 by 32 at a time.
//!
//! | file | is |
//! |---|---|
//! | `pack.rs` | matrices into tiles, and an `f32` number into three of `bf16` |
//! | `amx.rs`, `avx512.rs` | one block of the product, on tile registers or on vectors |
//! | `blocked.rs` | the blocks of a product, shared out to threads |
//! | `thin.rs` | few rows by a large weight, whose tiles are read in place |
//!
//! Which element is summed in which order depends on the sizes alone, hence the same bytes for any number of threads.

mod amx;
mod avx512;
mod blocked;
mod pack;
mod thin;

use half::bf16;

use self::blocked::blocked;
use super::block::TILE;
use super::output::Output;
use super::{Isa, Matrix, Threads};

/// Inner numbers of a tile.
const DEPTH: usize = 2 * TILE;

/// `out = a b`, or `out += a b`, as exact as `f32` arithmetic.
///
/// # Safety
/// As [`call`](crate::gemm::call); the processor must have `isa`.
pub(super) unsafe fn product_f32(
    isa: Isa,
    out: Output,
    a: Matrix<'_>,
    b: Matrix<'_>,
    accumulate: bool,
    threads: Threads,
) {
    // SAFETY: by this function's contract.
    unsafe {
        if !accumulate && thin::applies_to_f32(&a, &b) {
            thin::thin_f32(out, a, b, threads);
        } else {
            blocked::<f32, 3>(isa, out, a, b, accumulate, threads);
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
        if thin::applies(isa, &a, &b) {
            thin::thin(out, a, b, threads);
        } else {
            blocked::<bf16, 1>(isa, out, a, b, false, threads);
        }
    }
}
