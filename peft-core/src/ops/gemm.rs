//! A safe, bounds-checked, strided matrix product over slices: the only `unsafe` of the crate.
#![allow(
    unsafe_code,
    reason = "gemm::gemm takes raw pointers; every call is preceded by the checks that make it sound"
)]

use candle_core::{Result, bail};
use gemm::Parallelism;
use rayon::prelude::*;

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

/// A read-only matrix inside a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The row-major matrix `data [rows, cols]`.
    pub(super) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The matrix whose rows begin `row_stride` elements apart.
    pub(super) fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transpose, without a copy.
    pub(super) fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    fn fits(&self) -> bool {
        let strides = (self.row_stride, self.col_stride);
        extent(self.rows, self.cols, strides).is_some_and(|end| end <= self.data.len())
    }
}

/// A matrix to write: rows of contiguous columns that begin `row_stride` elements apart.
#[derive(Debug)]
pub(super) struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// The row-major matrix `data [rows, cols]`.
    pub(super) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The matrix whose rows begin `row_stride` elements apart.
    pub(super) fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride }
    }

    fn fits(&self) -> bool {
        let rows_are_disjoint = self.row_stride >= self.cols;
        rows_are_disjoint
            && extent(self.rows, self.cols, (self.row_stride, 1)).is_some_and(|end| end <= self.data.len())
    }
}

/// One past the last element that a matrix touches; `None` on overflow or beyond `isize`.
fn extent(rows: usize, cols: usize, (row_stride, col_stride): (usize, usize)) -> Option<usize> {
    let (Some(last_row), Some(last_col)) = (rows.checked_sub(1), cols.checked_sub(1)) else {
        return Some(0);
    };
    let end = last_row.checked_mul(row_stride)?.checked_add(last_col.checked_mul(col_stride)?)?.checked_add(1)?;
    isize::try_from(end).ok()?;
    Some(end)
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
    check(a, b)?;
    let len = a.rows * b.cols;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    if a.cols == 0 {
        out.resize(len, 0.0);
        return Ok(out);
    }
    // SAFETY: `check` holds for `a` and `b`; the allocation holds `len = rows * cols` elements, of which the
    // product with `read_dst = false` reads none and writes every one, so that all are initialised.
    unsafe {
        call(out.as_mut_ptr(), b.cols, a, b, false, threads);
        out.set_len(len);
    }
    Ok(out)
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
fn check(a: Matrix<'_>, b: Matrix<'_>) -> Result<()> {
    if a.cols != b.rows || !a.fits() || !b.fits() {
        bail!("gemm: no product of {} and {}", show(&a), show(&b));
    }
    Ok(())
}

fn show(m: &Matrix<'_>) -> String {
    let Matrix { rows, cols, row_stride, col_stride, .. } = m;
    let len = m.data.len();
    format!("[{rows}, {cols}] (strides {row_stride}, {col_stride} in {len} elements)")
}

fn run(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, accumulate: bool, threads: Threads) -> Result<()> {
    check(a, b)?;
    if (out.rows, out.cols) != (a.rows, b.cols) || !out.fits() {
        bail!(
            "gemm: [{}, {}] (row stride {} in {} elements) does not hold the product of {} and {}",
            out.rows,
            out.cols,
            out.row_stride,
            out.data.len(),
            show(&a),
            show(&b)
        );
    }
    // SAFETY: `check` holds for `a` and `b`, `out.fits()` says that the written rows lie inside `out.data`
    // and do not overlap, and the exclusive borrow of `out.data` rules out aliasing with `a` and `b`.
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
    // SAFETY: by this function's contract. The strides fit `isize` wherever they are used, because `extent`
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
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 37 + 11) % 23) as f32 - 11.0).collect()
    }

    /// Small integers, so that sums are exact in any order.
    fn naive(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
        let entry = |i: usize| (0..k).map(|l| a[i / n * k + l] * b[l * n + i % n]).sum();
        (0..m * n).map(entry).collect()
    }

    #[test]
    fn products_agree_with_the_definition_for_every_layout() {
        for dims @ (m, k, n) in [(1, 5, 1), (3, 1, 4), (7, 9, 2), (33, 65, 40), (2, 0, 3)] {
            let (a, b) = (numbers(m * k), numbers(k * n));
            let expected = naive(&a, &b, dims);
            let (va, vb) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            assert_eq!(product(va, vb, Threads::All).unwrap(), expected);
            let transposed = product(vb.t(), va.t(), Threads::One).unwrap();
            let back: Vec<f32> = (0..m * n).map(|i| transposed[i % n * m + i / n]).collect();
            assert_eq!(back, expected);
        }
    }

    #[test]
    fn a_strided_product_leaves_the_gaps_alone_and_accumulates() {
        let (a, b) = (numbers(6), numbers(8));
        let expected = naive(&a, &b, (3, 2, 4));
        let mut out = [5.0; 3 * 6];
        let view = MatrixMut::strided(&mut out[1..], 3, 4, 6);
        let (va, vb) = (Matrix::new(&a, 3, 2), Matrix::new(&b, 2, 4));
        multiply_add(view, va, vb, Threads::One).unwrap();
        for (i, value) in out.iter().enumerate() {
            let (row, col) = (i / 6, i % 6);
            let sum = if (1..5).contains(&col) { expected[row * 4 + col - 1] } else { 0.0 };
            assert_eq!(*value, 5.0 + sum, "row {row}, column {col}");
        }
    }

    #[test]
    fn nothing_outside_a_slice_is_touched() {
        let data = numbers(6);
        let fine = Matrix::new(&data, 2, 3);
        assert!(product(fine, fine, Threads::One).is_err());
        assert!(product(Matrix::new(&data, 3, 3), fine.t(), Threads::One).is_err());
        let huge = Matrix::strided(&data, 3, 2, usize::MAX);
        assert!(product(huge, fine, Threads::One).is_err());
        let mut small = [0.0; 3];
        let out = MatrixMut::new(&mut small, 2, 2);
        assert!(multiply(out, fine, fine.t(), Threads::One).is_err());
        let mut overlapping = [0.0; 9];
        let out = MatrixMut::strided(&mut overlapping, 2, 2, 1);
        assert!(multiply(out, fine, fine.t(), Threads::One).is_err());
    }
}
