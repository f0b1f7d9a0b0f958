//! Products of `f32` matrices by matrices of `bf16`, for frozen weights.

use candle_core::Result;
use half::bf16;

use super::order::Order;
use super::product::multiply_in;
use super::threads::Threads;
use super::view::{Matrix, MatrixMut, check, check_out};
#[cfg(target_arch = "x86_64")]
use super::{dot, fma, isa::Isa, output::Output, tiles};

/// `a b` for a `b` of `bf16`: a new row-major matrix of `f32`.
///
/// Sums are `f32`. If the processor multiplies `bf16` numbers faster, `a` is rounded to `bf16` too, a relative error of 2⁻⁹ per
/// element. Otherwise `b` is converted to `f32` and `a` stays as it is.
pub(crate) fn product_bf16(order: Order, a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) -> Result<Vec<f32>> {
    let mut out = vec![0.0; a.rows * b.cols];
    multiply_bf16(order, MatrixMut::new(&mut out, a.rows, b.cols), a, b, threads)?;
    Ok(out)
}

/// [`product_bf16`] into `out`.
pub(crate) fn multiply_bf16(
    order: Order,
    out: MatrixMut<'_>,
    a: Matrix<'_>,
    b: Matrix<'_, bf16>,
    threads: Threads,
) -> Result<()> {
    check(&a, &b)?;
    check_out(&out, &a, &b)?;
    #[cfg(target_arch = "x86_64")]
    {
        let (isa, to) = (Isa::detect(), Output::new(out.data.as_mut_ptr(), out.row_stride));
        if let Some(isa) = isa.for_bf16() {
            // SAFETY: as in `product::run`; `isa` was found on this processor.
            unsafe { tiles::product_bf16(isa, to, a, b, threads) };
            return Ok(());
        }
        if fma::applies(isa, &a, &b) {
            // SAFETY: as above.
            unsafe { fma::product(to, a, b, threads) };
            return Ok(());
        }
        if isa.has_vectors() && dot::applies(&a, &b) {
            // SAFETY: as above.
            unsafe {
                match order.packs(a.rows) && a.cols > 0 {
                    true => fma::product(to, a, b, threads),
                    false => dot::on_vectors(to, a, b, threads),
                }
            }
            return Ok(());
        }
    }
    multiply_converted(order, out, a, b, threads)
}

/// `out = a b` for processors with neither products of `bf16` numbers nor vectors of 16 `f32`.
pub(super) fn multiply_converted(
    order: Order,
    out: MatrixMut<'_>,
    a: Matrix<'_>,
    b: Matrix<'_, bf16>,
    threads: Threads,
) -> Result<()> {
    /// Columns of `b` that are converted at once: few enough to stay in the cache.
    const COLUMNS: usize = 256;
    let (rows, stride) = (a.rows, out.row_stride);
    let mut numbers: Vec<f32> = Vec::new();
    for first in (0..b.cols).step_by(COLUMNS) {
        let count = COLUMNS.min(b.cols - first);
        let part = b.columns(first, count);
        // The converted part has the layout of `b`, so both are read in order.
        let by_column = part.row_stride == 1 && part.col_stride != 1;
        let source = if by_column { part.t() } else { part };
        numbers.clear();
        for row in 0..source.rows {
            let row = source.data.get(row * source.row_stride..).unwrap_or_default();
            numbers.extend(row.iter().step_by(source.col_stride).take(source.cols).map(|x| x.to_f32()));
        }
        let view = Matrix::new(&numbers, source.rows, source.cols);
        let view = if by_column { view.t() } else { view };
        let place = out.data.get_mut(first..).unwrap_or_default();
        multiply_in(order, MatrixMut::strided(place, rows, count, stride), a, view, threads)?;
    }
    Ok(())
}
