//! A matrix into panels: up to 32 columns, row of `k` by row of `k`.

use std::arch::x86_64::{_mm512_castps_si512, _mm512_setzero_si512, _mm512_storeu_ps, _mm512_storeu_si512};
use std::ops::Range;

use super::wide::{Wide, lanes};
use super::{BLOCK, TILE};
use crate::gemm::Matrix;
use crate::gemm::block::{Vectors, transpose};

/// The vectors that `columns` columns take in a panel: two, or one for the last few.
pub(super) fn vectors(columns: usize) -> usize {
    columns.min(BLOCK).div_ceil(TILE)
}

/// The panel of the rows `k` and up to 32 columns from `first` of `b`: a row of `16 vectors` numbers for each `k`, zeros
/// beyond the last column.
///
/// # Safety
/// `b` must lie inside its slice and have rows or columns of contiguous numbers; `out` must hold the panel; the processor
/// must have AVX-512 with BW and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn pack<T: Wide>(b: Matrix<'_, T>, first: usize, k: Range<usize>, out: *mut f32) {
    let columns = b.cols.saturating_sub(first).min(BLOCK);
    let width = vectors(columns) * TILE;
    for (half, first) in (first..first + columns).step_by(TILE).enumerate() {
        let count = (b.cols - first).min(TILE);
        // SAFETY: by this function's contract.
        unsafe {
            let out = out.add(half * TILE);
            if b.row_stride == 1 {
                across(b, first, count, k.clone(), out, width);
            } else {
                along(b, first, count, k.clone(), out, width);
            }
        }
    }
}

/// `count` columns of contiguous numbers.
///
/// # Safety
/// As [`pack`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn across<T: Wide>(b: Matrix<'_, T>, first: usize, count: usize, k: Range<usize>, out: *mut f32, width: usize) {
    for (start, done) in k.clone().step_by(TILE).zip((0..).step_by(TILE)) {
        let depth = (k.end - start).min(TILE);
        let mut numbers: Vectors = [_mm512_setzero_si512(); TILE];
        for (column, numbers) in numbers.iter_mut().enumerate().take(count) {
            // SAFETY: by this function's contract.
            *numbers = unsafe {
                let at = b.data.as_ptr().add((first + column) * b.col_stride + start);
                _mm512_castps_si512(T::load(at, lanes(depth)))
            };
        }
        transpose(&mut numbers);
        for (row, numbers) in numbers.iter().enumerate().take(depth) {
            // SAFETY: by this function's contract.
            unsafe { _mm512_storeu_si512(out.add((done + row) * width).cast(), *numbers) };
        }
    }
}

/// `count` columns of rows of contiguous numbers.
///
/// # Safety
/// As [`pack`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn along<T: Wide>(b: Matrix<'_, T>, first: usize, count: usize, k: Range<usize>, out: *mut f32, width: usize) {
    for (row, k) in k.enumerate() {
        // SAFETY: by this function's contract.
        unsafe {
            let numbers = T::load(b.data.as_ptr().add(k * b.row_stride + first), lanes(count));
            _mm512_storeu_ps(out.add(row * width), numbers);
        }
    }
}
