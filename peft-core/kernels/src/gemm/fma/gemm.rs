//! Many rows by a packed weight. Every task packs its own columns of the weight and reads all rows of the other operand.

use std::arch::x86_64::{_mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use std::ops::Range;

use super::kernel::{MOST_ROWS, rows_by_panel, with_sizes};
use super::panel::{pack, vectors};
use crate::gemm::block::{BLOCK, TILE, lanes};
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::to_f32::ToF32;
use crate::gemm::view::Matrix;

/// The inner numbers that are summed before the result is written. A panel of them fits the first-level cache.
const DEPTH: usize = 512;
/// The rows that are multiplied by all panels of a task before the next rows. Their inner numbers fit the second-level cache.
const HEIGHT: usize = 20 * MOST_ROWS;
/// The most panels per task. They fit the second-level cache too.
const PANELS: usize = 8;
/// The fewest tasks of a product with enough panels.
const TASKS: usize = 4;

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As `call` in `product.rs`; [`applies`](super::applies) must hold on this processor.
pub(in crate::gemm) unsafe fn product<T: ToF32>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
    let panels = b.cols.div_ceil(BLOCK);
    let width = PANELS.min(panels.div_ceil(TASKS)).max(1) * BLOCK;
    let tasks: Vec<_> = (0..b.cols).step_by(width).map(|first| first..b.cols.min(first + width)).collect();
    for_each(tasks, threads, |columns| {
        let mut packed: Vec<f32> = Vec::with_capacity(columns.len().next_multiple_of(TILE) * DEPTH.min(a.cols));
        for first in (0..a.cols).step_by(DEPTH) {
            let part =
                Part { a, k: first..a.cols.min(first + DEPTH), out: out.accumulate(out.accumulate || first > 0) };
            // SAFETY: by this function's contract; tasks write disjoint columns, and `packed` has room for all panels.
            unsafe { part.run(b, columns.clone(), packed.as_mut_ptr()) };
        }
    });
}

/// A part of the inner dimension of a product.
struct Part<'a> {
    a: Matrix<'a>,
    k: Range<usize>,
    out: Output,
}

impl Part<'_> {
    /// # Safety
    /// As [`product`]; `packed` must have room for the panels of `columns`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run<T: ToF32>(&self, b: Matrix<'_, T>, columns: Range<usize>, packed: *mut f32) {
        let depth = self.k.len();
        let panels = || columns.clone().step_by(BLOCK).enumerate();
        for (i, column) in panels() {
            // SAFETY: panels before the last have 32 columns each.
            unsafe { pack(b, column, self.k.clone(), packed.add(i * BLOCK * depth)) };
        }
        for first in (0..self.a.rows).step_by(HEIGHT) {
            let last = self.a.rows.min(first + HEIGHT);
            for (i, column) in panels() {
                let count = columns.end - column;
                for row in (first..last).step_by(MOST_ROWS) {
                    macro_rules! block {
                        ($R:literal, $V:literal) => {
                            self.block::<$R, $V>(row, column, count, packed.add(i * BLOCK * depth))
                        };
                    }
                    // SAFETY: the panel was packed for these columns.
                    unsafe { with_sizes!(last - row, vectors(count), block) };
                }
            }
        }
    }

    /// Computes the block of `R` rows from `row` and `count` columns, 32 at most, from `column`.
    ///
    /// # Safety
    /// They must be inside, and the packed panel of these columns at `panel`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn block<const R: usize, const V: usize>(&self, row: usize, column: usize, count: usize, panel: *const f32) {
        let Matrix { data, row_stride, .. } = self.a;
        // SAFETY: by this function's contract; masked lanes are neither read nor written.
        unsafe {
            let rows = data.as_ptr().add(row * row_stride + self.k.start);
            let sums = rows_by_panel::<R, V>(rows, row_stride, panel, self.k.len());
            for (i, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let mask = lanes(count.saturating_sub(v * TILE));
                    let to = self.out.at(row + i, column).wrapping_add(v * TILE);
                    let sum =
                        if self.out.accumulate { _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), sum) } else { sum };
                    _mm512_mask_storeu_ps(to, mask, sum);
                }
            }
        }
    }
}
