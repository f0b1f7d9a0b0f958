//! Matrices inside slices: shape, strides, and whether they lie inside.

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

    pub(super) fn fits(&self) -> bool {
        let strides = (self.row_stride, self.col_stride);
        extent(self.rows, self.cols, strides).is_some_and(|end| end <= self.data.len())
    }

    /// For messages.
    pub(super) fn show(&self) -> String {
        let Matrix { rows, cols, row_stride, col_stride, .. } = self;
        let len = self.data.len();
        format!("[{rows}, {cols}] (strides {row_stride}, {col_stride} in {len} elements)")
    }
}

/// A matrix to write: rows of contiguous columns that begin `row_stride` elements apart.
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

    pub(super) fn fits(&self) -> bool {
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
