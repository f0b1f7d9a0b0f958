//! Up to eight rows by a large weight, as when one sentence is decoded. Vectors run along the inner dimension, so every weight
//! is loaded once, in place, and all lanes are used even with one row.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::kernel::prefetch;
use super::to_f32::ToF32;
use crate::gemm::block::{TILE, Vectors, lanes, transpose};
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::view::Matrix;

/// The most rows.
pub(super) const MOST_ROWS: usize = 8;
/// Columns per task.
const TASK: usize = 64;

/// `out = a b`, where the columns of `b` are contiguous and a multiple of [`TILE`].
///
/// # Safety
/// As `product` in `mod.rs`; `a` has [`MOST_ROWS`] rows at most.
pub(super) unsafe fn product<T: ToF32>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
    let tasks: Vec<_> = (0..b.cols).step_by(TASK).map(|first| first..b.cols.min(first + TASK)).collect();
    for_each(tasks, threads, |task| {
        for column in task.step_by(TILE) {
            // SAFETY: by this function's contract; tasks write disjoint columns of `out`.
            unsafe {
                match a.rows {
                    1 => columns::<T, 1, 16>(out, a, b, column),
                    2 => columns::<T, 2, 8>(out, a, b, column),
                    3 | 4 => columns::<T, 4, 4>(out, a, b, column),
                    _ => columns::<T, 8, 2>(out, a, b, column),
                }
            }
        }
    });
}

/// All rows, up to `M`, by the 16 columns from `first`, `R` at a time: `M R = 16`.
///
/// # Safety
/// As [`product`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn columns<T: ToF32, const M: usize, const R: usize>(
    out: Output,
    a: Matrix<'_>,
    b: Matrix<'_, T>,
    first: usize,
) {
    let mut results = [[0.0; TILE]; M];
    for part in (0..TILE).step_by(R) {
        // SAFETY: by this function's contract.
        let sums = unsafe { sums::<T, M, R>(a, b, first + part) };
        for (row, results) in results.iter_mut().enumerate() {
            let own = sums.iter().skip(row * R).take(R);
            results.iter_mut().skip(part).zip(own).for_each(|(result, sum)| *result = *sum);
        }
    }
    for (row, results) in results.iter().enumerate().take(a.rows) {
        // SAFETY: the row and the 16 columns are inside, by this function's contract.
        unsafe { _mm512_storeu_ps(out.at(row, first), _mm512_loadu_ps(results.as_ptr())) };
    }
}

/// The sums of `M` rows by `R` columns from `first`, row by row. The sums of missing rows are zeros.
///
/// # Safety
/// As [`product`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn sums<T: ToF32, const M: usize, const R: usize>(a: Matrix<'_>, b: Matrix<'_, T>, first: usize) -> [f32; TILE] {
    let depth = a.cols;
    let mut sums = [[_mm512_setzero_ps(); R]; M];
    for k in (0..depth).step_by(TILE) {
        let mask = lanes(depth - k);
        // SAFETY: by this function's contract; masked lanes are not read, nor rows that are not there.
        unsafe {
            let row = |m: usize| match m < a.rows {
                true => f32::load(a.data.as_ptr().add(m * a.row_stride + k), mask),
                false => _mm512_setzero_ps(),
            };
            let rows: [__m512; M] = std::array::from_fn(row);
            for r in 0..R {
                let weight = b.data.as_ptr().add((first + r) * b.col_stride + k);
                prefetch(weight, R * b.col_stride);
                let weight = T::load(weight, mask);
                for (sums, x) in sums.iter_mut().zip(rows) {
                    if let Some(sum) = sums.get_mut(r) {
                        *sum = _mm512_fmadd_ps(x, weight, *sum);
                    }
                }
            }
        }
    }
    let mut all: Vectors = [_mm512_castps_si512(_mm512_setzero_ps()); TILE];
    for (vector, sum) in all.iter_mut().zip(sums.into_iter().flatten()) {
        *vector = _mm512_castps_si512(sum);
    }
    // Lane `i` of the sum of the transposed vectors is the sum of vector `i`'s lanes.
    transpose(&mut all);
    let total = all.into_iter().map(|x| _mm512_castsi512_ps(x)).reduce(|a, b| _mm512_add_ps(a, b));
    let mut results = [0.0; TILE];
    // SAFETY: there is room for 16.
    unsafe { _mm512_storeu_ps(results.as_mut_ptr(), total.unwrap_or(_mm512_setzero_ps())) };
    results
}
