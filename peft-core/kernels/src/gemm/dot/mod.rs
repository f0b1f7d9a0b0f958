//! Products `a b` where the numbers of each row of `a` and of each column of `b` are contiguous, as in a linear map's `x W^T`:
//! every element is the dot product of two runs of memory, which are read in place.
//!
//! | file | is |
//! |---|---|
//! | `tasks.rs` | which elements are computed together |
//! | `avx512.rs` | dot products on vectors of 16 `f32`; weights of `bf16` are converted when they are loaded |
//! | `avx2.rs` | dot products on vectors of 8 `f32` (AVX2) |
//!
//! **The order of a sum.** The inner dimension is cut into parts of [`DEPTH`] products. In a part, lane `i` of `n` adds the products
//! `i`, `i + n`, `i + 2n` and so on, and the lanes are added by halves. The sums of the parts are added from first to last. So the
//! bits of an element depend on its own row and column alone: not on the number of rows, columns and threads, and not on zeros after
//! the last product. The number of lanes depends on the processor.

mod avx2;
mod avx512;
mod tasks;

pub(super) use self::avx512::product as on_vectors;
use super::isa::Isa;
use super::output::Output;
use super::threads::Threads;
use super::view::Matrix;

/// The products of a part of the inner dimension: few enough for the numbers of several rows to stay in the first-level cache.
const DEPTH: usize = 1024;

/// Whether [`product`] may be called: rows of `a` and columns of `b` are contiguous, and the processor has vectors for it.
pub(super) fn applies<T>(a: &Matrix<'_>, b: &Matrix<'_, T>) -> bool {
    a.col_stride == 1 && b.row_stride == 1 && (Isa::detect().has_vectors() || has_avx2())
}

/// Whether there are vectors of 8 `f32` with fused multiply-add.
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As `call` in `product.rs`; [`applies`] must hold.
pub(super) unsafe fn product(out: Output, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    // SAFETY: by this function's contract; the processor has the vectors.
    unsafe {
        match Isa::detect().has_vectors() {
            true => on_vectors(out, a, b, threads),
            false => avx2::product(out, a, b, threads),
        }
    }
}

/// The parts of an inner dimension of `depth`, at least one.
fn parts(depth: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..depth.max(1)).step_by(DEPTH).map(move |first| first..depth.min(first + DEPTH))
}
