//! Products of `f32` matrices.

use candle_core::{Result, bail};
use rayon::prelude::*;

use super::order::Order;
use super::output::Output;
use super::threads::Threads;
use super::view::{Matrix, MatrixMut, check, check_out};
#[cfg(target_arch = "x86_64")]
use super::{dot, fma, isa::Isa, tiles};

/// `out = a b`.
pub(crate) fn multiply(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, Order::Independent, a, b, false, threads)
}

/// [`multiply`], summed in `order`.
pub(crate) fn multiply_in(
    order: Order,
    out: MatrixMut<'_>,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) -> Result<()> {
    run(out, order, a, b, false, threads)
}

/// `out += a b`.
pub(crate) fn multiply_add(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, Order::Independent, a, b, true, threads)
}

/// `out = a b`, where zeros after the last number of all rows of `a` change nothing, unlike in [`multiply`], which may choose by the
/// length of rows how it computes. So attention over a padded row has the bits of attention over the row alone.
///
/// The rows of `a` must be contiguous, and the rows or the columns of `b`.
pub(crate) fn multiply_padded(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    check(&a, &b)?;
    check_out(&out, &a, &b)?;
    if a.col_stride != 1 || (b.row_stride != 1 && b.col_stride != 1) {
        bail!("gemm: the rows of {} and the rows or columns of {} must be contiguous", a.show(), b.show());
    }
    #[cfg(target_arch = "x86_64")]
    {
        let to = Output::new(out.data.as_mut_ptr(), out.row_stride);
        if Isa::detect().has_vectors() && a.cols > 0 {
            // SAFETY: as in `run`; the processor has the vectors.
            unsafe { fma::product(to, a, b, threads) };
            return Ok(());
        }
        let copy: Vec<f32> = if b.row_stride == 1 { Vec::new() } else { columns(b) };
        let b = if b.row_stride == 1 { b } else { Matrix::new(&copy, b.cols, b.rows).t() };
        if dot::applies(&a, &b) {
            // SAFETY: as in `run`; `b` has its shape still.
            unsafe { dot::product(to, a, b, threads) };
            return Ok(());
        }
    }
    run(out, Order::Independent, a, b, false, threads)
}

/// The columns of a matrix, one after the other.
#[cfg(target_arch = "x86_64")]
fn columns(b: Matrix<'_>) -> Vec<f32> {
    let column = |column: usize| b.data.get(column * b.col_stride..).unwrap_or_default().iter().step_by(b.row_stride);
    (0..b.cols).flat_map(|i| column(i).take(b.rows)).copied().collect()
}

/// `a b` as a new row-major matrix.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<Vec<f32>> {
    product_in(Order::Independent, a, b, threads)
}

/// [`product`], summed in `order`.
pub(crate) fn product_in(order: Order, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<Vec<f32>> {
    check(&a, &b)?;
    // SAFETY: `check` holds for `a` and `b`, and `fill` hands out a buffer of `a.rows * b.cols` elements, of which
    // `call` without `accumulate` writes every one and reads none.
    unsafe { fill(a.rows, b.cols, a.cols, |out| call(Output::new(out, b.cols), order, a, b, threads)) }
}

/// The products `a(i) b(i)`, `[rows, cols]` each, for `i` in `0..batch`, concatenated.
pub(crate) fn batched_product<'a>(
    batch: usize,
    (rows, cols): (usize, usize),
    a: impl Fn(usize) -> Matrix<'a> + Sync,
    b: impl Fn(usize) -> Matrix<'a> + Sync,
) -> Result<Vec<f32>> {
    if batch == 1 {
        return product(a(0), b(0), Threads::All);
    }
    let mut out = vec![0.0; batch * rows * cols];
    out.par_chunks_mut((rows * cols).max(1))
        .enumerate()
        .try_for_each(|(i, out)| multiply(MatrixMut::new(out, rows, cols), a(i), b(i), Threads::One))?;
    Ok(out)
}

/// A new matrix `[rows, cols]` that `write` fills. If the inner dimension is 0, it is all zeros.
///
/// # Safety
///
/// `write` must write every one of the `rows * cols` elements at the pointer that it gets, and read none.
unsafe fn fill(rows: usize, cols: usize, inner: usize, write: impl FnOnce(*mut f32)) -> Result<Vec<f32>> {
    let len = rows * cols;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    if inner == 0 {
        out.resize(len, 0.0);
        return Ok(out);
    }
    write(out.as_mut_ptr());
    // SAFETY: the allocation holds `len` elements, and by this function's contract `write` has initialized all of them.
    unsafe { out.set_len(len) };
    Ok(out)
}

fn run(
    out: MatrixMut<'_>,
    order: Order,
    a: Matrix<'_>,
    b: Matrix<'_>,
    accumulate: bool,
    threads: Threads,
) -> Result<()> {
    check(&a, &b)?;
    check_out(&out, &a, &b)?;
    // SAFETY: `check` holds for `a` and `b`, `check_out` says that the written rows are inside `out.data` and do not
    // overlap, and the exclusive borrow of `out.data` rules out aliasing with `a` and `b`.
    unsafe {
        let to = Output::new(out.data.as_mut_ptr(), out.row_stride).accumulate(accumulate);
        call(to, order, a, b, threads);
    }
    Ok(())
}

/// `out = a b`, or `out += a b` if `out` accumulates.
///
/// # Safety
///
/// `check(a, b)` must hold; `out` must be valid for writes, and for reads if it accumulates, of `a.rows` rows of `b.cols` elements that
/// begin at least `b.cols` elements apart, and alias neither `a` nor `b`.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "the `gemm` crate has one order"))]
unsafe fn call(out: Output, order: Order, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    #[cfg(target_arch = "x86_64")]
    {
        let isa = Isa::detect();
        if let Some(isa) = isa.for_f32(&a, &b) {
            // SAFETY: by this function's contract; `isa` was found on this processor.
            unsafe { tiles::product_f32(isa, out, a, b, threads) };
            return;
        }
        if fma::applies(isa, &a, &b) {
            // SAFETY: as above.
            unsafe { fma::product(out, a, b, threads) };
            return;
        }
        if dot::applies(&a, &b) && !order.packs(a.rows) {
            // SAFETY: as above.
            unsafe { dot::product(out, a, b, threads) };
            return;
        }
    }
    // SAFETY: by this function's contract. The strides fit `isize` wherever they are used, because `fits`
    // has checked the offset of the last element.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.data(),
            1,
            out.stride() as isize,
            out.accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            threads.into(),
        );
    }
}
