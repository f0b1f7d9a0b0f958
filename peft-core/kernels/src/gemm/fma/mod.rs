//! Products on vectors of 16 `f32` (AVX-512) by a weight that is packed into panels of up to 32 columns, and converted to `f32` in the
//! same step. The other operand is read in place, row by row.
//!
//! These are products with a small inner dimension, and products by a `bf16` weight whose rows are contiguous, as in the gradient `dY W`
//! of a linear map's input.
//!
//! | file | is |
//! |---|---|
//! | `gemm.rs` | the product |
//! | `kernel.rs` | a few rows by one panel |
//! | `panel.rs` | a matrix into panels |
//!
//! An element is summed from the first product to the last, so its bits depend on its own row and column alone.

mod gemm;
mod kernel;
mod panel;

pub(super) use self::gemm::product;
pub(super) use self::kernel::prefetch;
use super::dot;
use super::isa::Isa;
use super::to_f32::ToF32;
use super::view::Matrix;

/// The largest inner dimension with which packing a weight costs less than adding the lanes of [dot products](dot).
const SHALLOWEST_DOT: usize = 64;
/// By a `bf16` weight whose rows are contiguous: with fewer columns, there is too little work to share between threads.
const FEWEST_COLUMNS: usize = 64;
/// If the product of the three dimensions is smaller, packing costs more time than it saves.
const SMALLEST: usize = 1 << 18;

/// Whether [`product`] is the fastest for `a b`. For contiguous columns the inner dimension decides alone.
pub(super) fn applies<T: ToF32>(isa: Isa, a: &Matrix<'_>, b: &Matrix<'_, T>) -> bool {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let here = match dot::applies(a, b) {
        true => (1..=SHALLOWEST_DOT).contains(&k),
        false if T::IS_F32 || a.col_stride != 1 || b.col_stride != 1 => false,
        false => n >= FEWEST_COLUMNS && m * n * k >= SMALLEST,
    };
    isa.has_vectors() && here
}
