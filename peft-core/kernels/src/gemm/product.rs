//! Products of `f32` matrices.

use candle_core::Result;
use rayon::prelude::*;

use super::threads::Threads;
use super::view::{Matrix, MatrixMut, check, check_out};
#[cfg(target_arch = "x86_64")]
use super::{fma, isa::Isa, output::Output, tiles};

/// `out = a b`.
pub(crate) fn multiply(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, a, b, false, threads)
}

/// `out += a b`.
pub(crate) fn multiply_add(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, a, b, true, threads)
}

/// `a b` as a new row-major matrix.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<Vec<f32>> {
    check(&a, &b)?;
    // SAFETY: `check` holds for `a` and `b`, and `fill` hands out a buffer of `a.rows * b.cols` elements, of which
    // `call` without `accumulate` writes every one and reads none.
    unsafe { fill(a.rows, b.cols, a.cols, |out| call(out, b.cols, a, b, false, threads)) }
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

fn run(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, accumulate: bool, threads: Threads) -> Result<()> {
    check(&a, &b)?;
    check_out(&out, &a, &b)?;
    // SAFETY: `check` holds for `a` and `b`, `check_out` says that the written rows are inside `out.data` and do not
    // overlap, and the exclusive borrow of `out.data` rules out aliasing with `a` and `b`.
    unsafe {
        let data = out.data.as_mut_ptr();
        call(data, out.row_stride, a, b, accumulate, threads);
    }
    Ok(())
}

/// `out = a b`, or `out += a b`.
///
/// # Safety
///
/// `check(a, b)` must hold; `out` must be valid for writes, and for reads if `accumulate`, of `a.rows` rows
/// of `b.cols` elements that begin `row_stride >= b.cols` elements apart, and alias neither `a` nor `b`.
unsafe fn call(out: *mut f32, row_stride: usize, a: Matrix<'_>, b: Matrix<'_>, accumulate: bool, threads: Threads) {
    #[cfg(target_arch = "x86_64")]
    {
        let (isa, out) = (Isa::detect(), Output::new(out, row_stride).accumulate(accumulate));
        if let Some(isa) = isa.for_f32(&a, &b) {
            // SAFETY: by this function's contract; `isa` was found on this processor.
            unsafe { tiles::product_f32(isa, out, a, b, threads) };
            return;
        }
        if fma::applies(isa, &a, &b, accumulate) {
            // SAFETY: as above.
            unsafe { fma::product(out, a, b, threads) };
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
            out,
            1,
            row_stride as isize,
            accumulate,
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
