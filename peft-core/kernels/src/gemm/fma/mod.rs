//! Products on vectors of 16 `f32` (AVX-512) by weights of `f32`, or of `bf16`, which are converted when they are loaded.
//!
//! One operand is packed into panels of up to 32 columns; the other is read in place, row by row. With many rows the weight is
//! packed; with few rows the rows are.
//!
//! | file | is |
//! |---|---|
//! | `kernel.rs` | a few rows by one panel |
//! | `panel.rs` | a matrix into panels |
//! | `to_f32.rs` | numbers that are, or become, `f32` |
//! | `gemm.rs` | many rows by a packed weight |
//! | `skinny_gemm.rs` | few packed rows by a weight that is read once, in place |
//! | `dot.rs` | up to eight rows by a weight, both in place |
//!
//! The order in which an element is summed depends on the sizes only, so the bytes do not depend on the number of threads.

mod dot;
mod gemm;
mod kernel;
mod panel;
mod skinny_gemm;
mod to_f32;

pub(super) use self::kernel::prefetch;
use self::to_f32::ToF32;
use super::block::{BLOCK, TILE};
use super::isa::Isa;
use super::output::Output;
use super::threads::Threads;
use super::view::Matrix;

/// The most rows of a [skinny product](skinny_gemm). With more, packing the weight costs less than reading the packed rows
/// repeatedly.
const MOST_ROWS: usize = 128;
/// With fewer columns, there is too little work to share between threads.
const FEWEST_COLUMNS: usize = 64;
/// If the product of the three dimensions is smaller, packing costs more time than it saves.
const SMALLEST: usize = 1 << 18;

/// How a product is computed: by the file of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Gemm,
    SkinnyGemm,
    Dot,
}

/// The strategy for `a b`. `None` if the `gemm` crate or tiles are faster.
fn strategy<T: ToF32>(a: &Matrix<'_>, b: &Matrix<'_, T>, accumulate: bool) -> Option<Strategy> {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let by_row = a.col_stride == 1 && k > 0;
    if !by_row || n < FEWEST_COLUMNS {
        return None;
    }
    if m <= dot::MOST_ROWS && m > 0 && b.row_stride == 1 && !accumulate && n.is_multiple_of(TILE) {
        return Some(Strategy::Dot);
    }
    if m <= MOST_ROWS && b.row_stride == 1 && !accumulate && n.is_multiple_of(BLOCK) {
        return Some(Strategy::SkinnyGemm);
    }
    // With many rows by an `f32` weight, the `gemm` crate is a little faster.
    let packs = b.row_stride == 1 || b.col_stride == 1;
    (!T::IS_F32 && packs && m * n * k >= SMALLEST).then_some(Strategy::Gemm)
}

/// Whether [`product`] is the fastest for `a b`.
pub(super) fn applies<T: ToF32>(isa: Isa, a: &Matrix<'_>, b: &Matrix<'_, T>, accumulate: bool) -> bool {
    isa.has_vectors() && strategy(a, b, accumulate).is_some()
}

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As `call` in `product.rs`; [`applies`] must hold on this processor.
pub(super) unsafe fn product<T: ToF32>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
    // SAFETY: by this function's contract.
    unsafe {
        match strategy(&a, &b, out.accumulate) {
            Some(Strategy::Dot) => dot::product(out, a, b, threads),
            Some(Strategy::SkinnyGemm) => skinny_gemm::product(out, a, b, threads),
            Some(Strategy::Gemm) | None => self::gemm::product(out, a, b, threads),
        }
    }
}
