//! Safe, bounds-checked, strided matrix products over slices.
//!
//! | what | is |
//! |---|---|
//! | [`Matrix`], [`MatrixMut`] | a matrix inside a slice |
//! | [`multiply`], [`multiply_add`], [`product`], [`batched_product`] | products of `f32` matrices |
//! | [`product_bf16`] | `f32` by `bf16`, the sum in `f32`: for frozen weights |
//! | [`product_int8`] | `f32`, rounded to bytes, by a weight of bytes: for labelling |
//! | `isa.rs` | what this processor multiplies matrices with |
//! | `tiles/` | large products on tile registers (Intel AMX), and of `bf16` pairs on vectors, in blocks of 32 by 32 |
//! | `fma/` | products on vectors of 16 `f32` (AVX-512), with weights of `f32` or `bf16` |
//! | `block.rs`, `output.rs` | what these two share |
//!
//! Where the processor has tile registers, a large `f32` product is the sum of six products of `bf16` numbers: each
//! element is split into three that add up to it exactly, and only those products are left out that lie below the last
//! bit. That is as exact as `f32` arithmetic, and faster. All that neither folder takes is the `gemm` crate's.
#![allow(
    unsafe_code,
    reason = "products take raw pointers and processor instructions; every call is preceded by the checks that make it \
              sound"
)]

#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(target_arch = "x86_64")]
mod fma;
mod int8;
#[cfg(target_arch = "x86_64")]
mod isa;
#[cfg(target_arch = "x86_64")]
mod output;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod view;

use candle_core::{Result, bail};
use gemm::Parallelism;
use half::bf16;
use rayon::prelude::*;

pub use self::int8::{INT8_TRAILER, quantize_row};
pub(super) use self::int8::{Int8, product_int8, rounded};
pub(super) use self::view::{Matrix, MatrixMut};
#[cfg(target_arch = "x86_64")]
use self::{isa::Isa, output::Output};

/// How many threads a product may use. The result's bytes do not depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Threads {
    /// The calling thread alone: for products inside a parallel loop.
    One,
    /// All threads of the current rayon pool.
    All,
}

impl From<Threads> for Parallelism {
    fn from(threads: Threads) -> Self {
        match threads {
            Threads::One => Self::None,
            Threads::All if rayon::current_num_threads() == 1 => Self::None,
            Threads::All => Self::Rayon(0),
        }
    }
}

/// `out = a b`.
pub(super) fn multiply(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, a, b, false, threads)
}

/// `out += a b`.
pub(super) fn multiply_add(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<()> {
    run(out, a, b, true, threads)
}

/// `a b` as a new row-major matrix.
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>, threads: Threads) -> Result<Vec<f32>> {
    check(&a, &b)?;
    // SAFETY: `check` holds for `a` and `b`, and `fill` hands out a buffer of `a.rows * b.cols` elements, of which
    // `call` without `accumulate` writes every one and reads none.
    unsafe { fill(a.rows, b.cols, a.cols, |out| call(out, b.cols, a, b, false, threads)) }
}

/// `a b` for a matrix of `bf16` numbers: a new row-major matrix of `f32`.
///
/// The sum is over `f32`. Where the processor multiplies `bf16` numbers faster, `a` is rounded to such numbers too (a
/// relative error of 2⁻⁹ an element); elsewhere `b` is widened and `a` stays as it is.
pub(super) fn product_bf16(a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) -> Result<Vec<f32>> {
    let mut out = vec![0.0; a.rows * b.cols];
    multiply_bf16(MatrixMut::new(&mut out, a.rows, b.cols), a, b, threads)?;
    Ok(out)
}

/// [`product_bf16`] into `out`.
pub(super) fn multiply_bf16(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) -> Result<()> {
    check(&a, &b)?;
    check_out(&out, &a, &b)?;
    #[cfg(target_arch = "x86_64")]
    {
        let (isa, to) = (Isa::detect(), Output::new(out.data.as_mut_ptr(), out.row_stride));
        if let Some(isa) = isa.for_bf16() {
            // SAFETY: as in `run`; `isa` was found on this processor.
            unsafe { tiles::product_bf16(isa, to, a, b, threads) };
            return Ok(());
        }
        if fma::applies(isa, &a, &b, false) {
            // SAFETY: as above.
            unsafe { fma::product(to, a, b, false, threads) };
            return Ok(());
        }
    }
    widened(out, a, b, threads)
}

/// `out = a b` where the processor has neither products of `bf16` numbers nor vectors of 16 `f32`.
fn widened(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) -> Result<()> {
    /// Columns of `b` that are widened at once: few enough to stay in the cache.
    const COLUMNS: usize = 256;
    let (rows, stride) = (a.rows, out.row_stride);
    let mut wide: Vec<f32> = Vec::new();
    for first in (0..b.cols).step_by(COLUMNS) {
        let count = COLUMNS.min(b.cols - first);
        let part = b.columns(first, count);
        // The widened part lies as `b` does, so that it is read in order.
        let by_column = part.row_stride == 1 && part.col_stride != 1;
        let source = if by_column { part.t() } else { part };
        wide.clear();
        for row in 0..source.rows {
            let row = source.data.get(row * source.row_stride..).unwrap_or_default();
            wide.extend(row.iter().step_by(source.col_stride).take(source.cols).map(|x| x.to_f32()));
        }
        let view = Matrix::new(&wide, source.rows, source.cols);
        let view = if by_column { view.t() } else { view };
        let place = out.data.get_mut(first..).unwrap_or_default();
        run(MatrixMut::strided(place, rows, count, stride), a, view, false, threads)?;
    }
    Ok(())
}

/// The products `a(i) b(i)`, `[rows, cols]` each, for `i` in `0..batch`, one behind the other.
pub(super) fn batched_product<'a>(
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

/// Fails unless `a b` is defined and both lie inside their slices.
fn check<A, B>(a: &Matrix<'_, A>, b: &Matrix<'_, B>) -> Result<()> {
    if a.cols != b.rows || !a.fits() || !b.fits() {
        bail!("gemm: no product of {} and {}", a.show(), b.show());
    }
    Ok(())
}

/// Fails unless `out` holds `a b`.
fn check_out<B>(out: &MatrixMut<'_>, a: &Matrix<'_>, b: &Matrix<'_, B>) -> Result<()> {
    if (out.rows, out.cols) != (a.rows, b.cols) || !out.fits() {
        bail!(
            "gemm: [{}, {}] (row stride {} in {} elements) does not hold the product of {} and {}",
            out.rows,
            out.cols,
            out.row_stride,
            out.data.len(),
            a.show(),
            b.show()
        );
    }
    Ok(())
}

/// A new matrix `[rows, cols]` that `write` fills; zeros where there is nothing to sum.
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
    // SAFETY: `check` holds for `a` and `b`, `check_out` says that the written rows lie inside `out.data` and do not
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
        let (isa, out) = (Isa::detect(), Output::new(out, row_stride));
        if let Some(isa) = isa.for_f32(&a, &b) {
            // SAFETY: by this function's contract; `isa` was found on this processor.
            unsafe { tiles::product_f32(isa, out, a, b, accumulate, threads) };
            return;
        }
        if fma::applies(isa, &a, &b, accumulate) {
            // SAFETY: as above.
            unsafe { fma::product(out, a, b, accumulate, threads) };
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

#[cfg(test)]
mod tests;
