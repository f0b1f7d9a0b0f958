//! Dot products on vectors of 8 `f32` (AVX2 with fused multiply-add), of a block of rows and columns at once.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};
use std::ops::Range;

use super::parts;
use super::tasks::{Task, tasks};
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::view::Matrix;

/// The sums that an element has at first.
const LANES: usize = 8;
/// Rows of a block.
const ROWS: usize = 4;
/// Columns of a block. The sums of a block are in 8 of the 16 registers.
const COLUMNS: usize = 2;

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As `product` in `mod.rs`; the processor must have AVX2 and FMA.
pub(super) unsafe fn product(out: Output, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    // SAFETY: by this function's contract; tasks write disjoint blocks.
    for_each(tasks(a.rows, b.cols), threads, |task| unsafe { run(out, a, b, &task) });
}

/// Computes a task.
///
/// # Safety
/// As [`product`].
#[target_feature(enable = "avx2,fma")]
unsafe fn run(out: Output, a: Matrix<'_>, b: Matrix<'_>, task: &Task) {
    for depth in parts(a.cols) {
        let out = out.accumulate(out.accumulate || depth.start > 0);
        for row in task.rows.clone().step_by(ROWS) {
            let rows: [*const f32; ROWS] = lines(a, row..task.rows.end, depth.start);
            for column in task.columns.clone().step_by(COLUMNS) {
                let columns: [*const f32; COLUMNS] = lines(b.t(), column..task.columns.end, depth.start);
                // SAFETY: the lines have the numbers `depth`.
                let sums = unsafe { sums(rows, columns, depth.len()) };
                for (row, sums) in (row..task.rows.end).zip(sums) {
                    for (column, sum) in (column..task.columns.end).zip(sums) {
                        // SAFETY: the element is inside `out`, by this function's contract.
                        unsafe {
                            let to = out.at(row, column);
                            *to = if out.accumulate { *to + sum } else { sum };
                        }
                    }
                }
            }
        }
    }
}

/// Where number `k` of the first rows of `which` of `x` is. Rows after the last one are the last one again.
fn lines<const N: usize>(x: Matrix<'_>, which: Range<usize>, k: usize) -> [*const f32; N] {
    std::array::from_fn(|i| {
        let line = (which.start + i).min(which.end.saturating_sub(1));
        x.data.as_ptr().wrapping_add(line * x.row_stride + k)
    })
}

/// The dot products of rows and columns of `depth` numbers.
///
/// # Safety
/// The numbers must be there; the processor must have AVX2 and FMA.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[allow(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "constant bounds; iterators would keep the sums in memory instead of in registers"
)]
unsafe fn sums(rows: [*const f32; ROWS], columns: [*const f32; COLUMNS], depth: usize) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[_mm256_setzero_ps(); COLUMNS]; ROWS];
    // A macro, because a closure would keep the sums in memory.
    macro_rules! add {
        ($load:expr) => {
            let columns: [__m256; COLUMNS] = columns.map($load);
            for m in 0..ROWS {
                let row = $load(rows[m]);
                for c in 0..COLUMNS {
                    sums[m][c] = _mm256_fmadd_ps(row, columns[c], sums[m][c]);
                }
            }
        };
    }
    let whole = depth / LANES * LANES;
    for k in (0..whole).step_by(LANES) {
        // SAFETY: by this function's contract.
        add!(|line: *const f32| unsafe { _mm256_loadu_ps(line.add(k)) });
    }
    if whole < depth {
        let mask = first(depth - whole);
        // SAFETY: as above; masked lanes are not read.
        add!(|line: *const f32| unsafe { _mm256_maskload_ps(line.wrapping_add(whole), mask) });
    }
    sums.map(|columns| columns.map(|sum| total(sum)))
}

/// The mask of the first `count` lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn first(count: usize) -> __m256i {
    let lanes: [i32; LANES] = std::array::from_fn(|lane| if lane < count { -1 } else { 0 });
    // SAFETY: there are 8 numbers.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

/// The sum of all lanes, by halves.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn total(sum: __m256) -> f32 {
    let mut lanes = [0.0; LANES];
    // SAFETY: there is room for 8 numbers.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.37).sin()).collect()
    }

    /// `x W^T`.
    fn multiplied(x: &[f32], w: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
        let mut y = vec![7.0; m * n];
        let (a, b) = (Matrix::new(x, m, k), Matrix::new(w, n, k).t());
        // SAFETY: the sizes fit, and the test asked the processor.
        unsafe { product(Output::new(y.as_mut_ptr(), n), a, b, Threads::One) };
        y
    }

    #[test]
    fn rows_are_independent_and_their_elements_are_dot_products() {
        if !super::super::has_avx2() {
            return;
        }
        for (k, n) in [(1, 1), (7, 5), (8, 2), (65, 9), (1030, 3)] {
            let (x, w) = (numbers(9 * k), numbers(n * k + 1));
            let w = w.get(1..).unwrap_or_default();
            let alone: Vec<f32> = x.chunks(k).flat_map(|row| multiplied(row, w, (1, k, n))).collect();
            for rows in 1..=9 {
                let found = multiplied(x.get(..rows * k).unwrap_or_default(), w, (rows, k, n));
                assert_eq!(Some(found.as_slice()), alone.get(..rows * n), "{rows} x {k} x {n}");
            }
            for (found, x) in alone.chunks(n).zip(x.chunks(k)) {
                for (found, w) in found.iter().zip(w.chunks(k)) {
                    let exact: f64 = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                    assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} {exact}");
                }
            }
        }
    }
}
