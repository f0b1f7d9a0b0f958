//! Packs a matrix into panels of up to 32 columns. A panel holds one row after the other.

use std::arch::x86_64::{_mm512_castps_si512, _mm512_setzero_si512, _mm512_storeu_ps, _mm512_storeu_si512};
use std::ops::Range;

use crate::gemm::block::{BLOCK, TILE, Vectors, lanes, transpose};
use crate::gemm::to_f32::ToF32;
use crate::gemm::view::Matrix;

/// The number of vectors for `columns` columns of a panel: one or two.
pub(super) fn vectors(columns: usize) -> usize {
    columns.min(BLOCK).div_ceil(TILE)
}

/// Writes the panel of the rows `k` and up to 32 columns from `first` of `b`: `16 vectors` numbers for each row, zeros after the
/// last column.
///
/// # Safety
/// `b` must be inside its slice and have rows or columns of contiguous numbers; `out` must hold the panel; the processor
/// must have AVX-512 with BW and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn pack<T: ToF32>(b: Matrix<'_, T>, first: usize, k: Range<usize>, out: *mut f32) {
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

/// Packs `count` columns whose numbers are contiguous.
///
/// # Safety
/// As [`pack`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn across<T: ToF32>(b: Matrix<'_, T>, first: usize, count: usize, k: Range<usize>, out: *mut f32, width: usize) {
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

/// Packs `count` columns of rows whose numbers are contiguous.
///
/// # Safety
/// As [`pack`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn along<T: ToF32>(b: Matrix<'_, T>, first: usize, count: usize, k: Range<usize>, out: *mut f32, width: usize) {
    for (row, k) in k.enumerate() {
        // SAFETY: by this function's contract.
        unsafe {
            let numbers = T::load(b.data.as_ptr().add(k * b.row_stride + first), lanes(count));
            _mm512_storeu_ps(out.add(row * width), numbers);
        }
    }
}
