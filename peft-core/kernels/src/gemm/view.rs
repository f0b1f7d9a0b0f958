//! Matrices inside slices: shape, strides, and checks that they fit their slices and each other.

use candle_core::{Result, bail};

/// A read-only matrix inside a slice.
#[derive(Debug)]
pub(crate) struct Matrix<'a, T = f32> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
}

impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Matrix<'_, T> {}

impl<'a, T> Matrix<'a, T> {
    /// The row-major matrix `data [rows, cols]`.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The matrix whose rows begin `row_stride` elements apart.
    pub(crate) fn strided(data: &'a [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transpose, without a copy.
    pub(crate) fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Columns `first..first + count`.
    pub(super) fn columns(self, first: usize, count: usize) -> Self {
        let data = self.data.get(first * self.col_stride..).unwrap_or_default();
        Self { data, cols: count, ..self }
    }

    /// Whether the matrix is inside its slice.
    pub(super) fn fits(&self) -> bool {
        let strides = (self.row_stride, self.col_stride);
        extent(self.rows, self.cols, strides).is_some_and(|end| end <= self.data.len())
    }

    /// Its shape and strides, for error messages.
    pub(super) fn show(&self) -> String {
        let Matrix { rows, cols, row_stride, col_stride, .. } = self;
        let len = self.data.len();
        format!("[{rows}, {cols}] (strides {row_stride}, {col_stride} in {len} elements)")
    }
}

/// A matrix for writing. Its rows are contiguous and begin `row_stride` elements apart.
#[derive(Debug)]
pub(crate) struct MatrixMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// The row-major matrix `data [rows, cols]`.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The matrix whose rows begin `row_stride` elements apart.
    pub(crate) fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride }
    }

    /// Whether the matrix is inside its slice and its rows do not overlap.
    pub(super) fn fits(&self) -> bool {
        let rows_are_disjoint = self.row_stride >= self.cols;
        rows_are_disjoint
            && extent(self.rows, self.cols, (self.row_stride, 1)).is_some_and(|end| end <= self.data.len())
    }
}

/// The number of elements up to the last one of a matrix. `None` if it overflows or does not fit `isize`.
fn extent(rows: usize, cols: usize, (row_stride, col_stride): (usize, usize)) -> Option<usize> {
    let (Some(last_row), Some(last_col)) = (rows.checked_sub(1), cols.checked_sub(1)) else {
        return Some(0);
    };
    let end = last_row.checked_mul(row_stride)?.checked_add(last_col.checked_mul(col_stride)?)?.checked_add(1)?;
    isize::try_from(end).ok()?;
    Some(end)
}

/// Fails unless `a b` is defined and both are inside their slices.
pub(super) fn check<A, B>(a: &Matrix<'_, A>, b: &Matrix<'_, B>) -> Result<()> {
    if a.cols != b.rows || !a.fits() || !b.fits() {
        bail!("gemm: {} and {} cannot be multiplied", a.show(), b.show());
    }
    Ok(())
}

/// Fails unless `out` holds `a b`.
pub(super) fn check_out<B>(out: &MatrixMut<'_>, a: &Matrix<'_>, b: &Matrix<'_, B>) -> Result<()> {
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
