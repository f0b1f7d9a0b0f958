//! Products on vectors of 16 `f32` (AVX-512), of weights of `f32` or of `bf16`, which are widened on the way.
//!
//! One operand is read where it lies, row by row; the other is packed into panels of up to 32 columns. Which is which
//! depends on what is large: many rows by a weight pack the weight, few rows by a weight are packed themselves.
//!
//! | file | is |
//! |---|---|
//! | `kernel.rs` | some rows by one panel |
//! | `panel.rs` | a matrix into panels |
//! | `wide.rs` | numbers that are, or become, `f32` |
//! | `fat.rs` | many rows by a packed weight |
//! | `thin.rs` | few packed rows by a weight that is read once, in place |
//! | `dot.rs` | up to eight rows by a weight, both in place |
//!
//! In which order an element is summed depends on the sizes alone, hence the same bytes for any number of threads.

mod dot;
mod fat;
mod kernel;
mod panel;
mod thin;
mod wide;

pub(super) use self::kernel::prefetch;
pub(super) use self::wide::Wide;
use super::block::{BLOCK, TILE};
use super::output::Output;
use super::{Isa, Matrix, Threads};

/// Beyond so many rows packing the weight costs less than reading the packed rows over and over.
const MOST_ROWS: usize = 128;
/// Columns below which there is nothing to share out.
const FEWEST_COLUMNS: usize = 64;
/// Below this product of all three dimensions packing costs more than it gains.
const SMALLEST: usize = 1 << 18;

/// Which way a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fat,
    Thin,
    Dot,
}

fn way<T: Wide>(a: &Matrix<'_>, b: &Matrix<'_, T>, accumulate: bool) -> Option<Way> {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let by_row = a.col_stride == 1 && k > 0;
    if !by_row || n < FEWEST_COLUMNS {
        return None;
    }
    if m <= dot::MOST_ROWS && m > 0 && b.row_stride == 1 && !accumulate && n.is_multiple_of(TILE) {
        return Some(Way::Dot);
    }
    if m <= MOST_ROWS && b.row_stride == 1 && !accumulate && n.is_multiple_of(BLOCK) {
        return Some(Way::Thin);
    }
    // Many rows by `f32` are the `gemm` crate's, which is a little faster there.
    let packs = b.row_stride == 1 || b.col_stride == 1;
    (!T::IS_F32 && packs && m * n * k >= SMALLEST).then_some(Way::Fat)
}

/// Whether [`product`] computes `a b` faster than others do.
pub(super) fn applies<T: Wide>(isa: Isa, a: &Matrix<'_>, b: &Matrix<'_, T>, accumulate: bool) -> bool {
    isa.has_vectors() && way(a, b, accumulate).is_some()
}

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As [`call`](super::call); [`applies`] must hold on this processor.
pub(super) unsafe fn product<T: Wide>(
    out: Output,
    a: Matrix<'_>,
    b: Matrix<'_, T>,
    accumulate: bool,
    threads: Threads,
) {
    // SAFETY: by this function's contract.
    unsafe {
        match way(&a, &b, accumulate) {
            Some(Way::Dot) => dot::product(out, a, b, threads),
            Some(Way::Thin) => thin::product(out, a, b, threads),
            Some(Way::Fat) | None => fat::product(out, a, b, accumulate, threads),
        }
    }
}
