//! Products in blocks. The left operand is packed once; each task packs its part of the right one.

use std::arch::x86_64::{__m512, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use std::mem::MaybeUninit;

use super::pack::{DEPTH, Element, Lines, Tile, buffer, panel};
use super::{amx, avx512};
use crate::gemm::block::{BLOCK, Block, TILE};
use crate::gemm::isa::Isa;
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::view::Matrix;

/// Steps of 32 `k` of one plane that are summed before the result is written.
const STEPS: usize = 32;

/// Steps of 32 `k` that are summed before the result is written, if operands are split into `planes`. So many of them, of a part of
/// the right operand, fit the second-level cache. Three planes take three times the memory.
pub(super) const fn steps_at_once(planes: usize) -> usize {
    if planes == 1 { STEPS } else { STEPS / 2 }
}

/// Steps of the left operand that are packed at once, a multiple of [`STEPS`]. This bounds the memory for a long sum.
const SLICE: usize = 4 * STEPS;
/// Blocks of columns in a part of the right operand.
const COLUMNS: usize = 8;
/// The fewest tasks of a product with enough blocks.
const TASKS: usize = 4;
/// The fewest blocks of rows per task, if the rows are split because there are too few columns.
const FEWEST_ROWS: usize = 8;

/// The blocks of rows and of columns that one task computes.
struct Task {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

/// The tasks of a product. They depend on the sizes only, so the bytes do not depend on the number of threads. To get enough
/// tasks, columns are split before rows, because each task packs its part of the right operand.
fn tasks(rows: usize, columns: usize) -> Vec<Task> {
    let width = COLUMNS.min(columns.div_ceil(TASKS)).max(1);
    let height = if columns.div_ceil(width) < TASKS { rows.div_ceil(TASKS).max(FEWEST_ROWS) } else { rows };
    let starts = (0..columns).step_by(width);
    let task = |column: usize, row: usize| Task {
        rows: row..rows.min(row + height),
        columns: column..columns.min(column + width),
    };
    starts.flat_map(|column| (0..rows).step_by(height.max(1)).map(move |row| task(column, row))).collect()
}

/// `out = a b`, or `out += a b`. Operands are split into `P` planes, one or three.
///
/// # Safety
/// As `call` in `product.rs`; the processor must have `isa`, which must be tiles for three planes.
pub(super) unsafe fn blocked<T: Element<P>, const P: usize>(
    isa: Isa,
    out: Output,
    a: Matrix<'_>,
    b: Matrix<'_, T>,
    threads: Threads,
) where
    f32: Element<P>,
{
    let (left, right) = (Lines::left(a), Lines::right(b));
    let steps = left.depth().div_ceil(DEPTH);
    let (rows, columns) = (left.count().div_ceil(BLOCK), right.count().div_ceil(BLOCK));
    let mut packed = buffer(rows * steps.min(SLICE) * P * 2);
    for first in (0..steps).step_by(SLICE) {
        let steps = SLICE.min(steps - first);
        let height = steps * P * 2;
        let panels: Vec<_> = packed.chunks_mut(height).take(rows).enumerate().collect();
        for_each(panels, threads, |(i, tiles)| {
            // SAFETY: the operand is inside its slice, and a panel of these steps has `height` tiles.
            unsafe { panel::<f32, P>(left, i * BLOCK, first * DEPTH, steps, tiles.as_mut_ptr().cast()) }
        });
        let (packed, out) = (&packed, out.accumulate(out.accumulate || first > 0));
        for_each(tasks(rows, columns), threads, |task| {
            let part = Part { isa, left, right, packed, first, height, out };
            // SAFETY: by this function's contract; tasks are disjoint.
            unsafe { part.run::<P>(&task) };
        });
    }
}

/// The data that the tasks of one product share.
struct Part<'a, T> {
    isa: Isa,
    left: Lines<'a, f32>,
    right: Lines<'a, T>,
    packed: &'a [MaybeUninit<Tile>],
    /// The step at which the packed panels begin.
    first: usize,
    /// Tiles of one packed panel of the left operand.
    height: usize,
    out: Output,
}

impl<T> Part<'_, T> {
    /// Computes the blocks of a task.
    ///
    /// # Safety
    /// As [`blocked`].
    unsafe fn run<const P: usize>(&self, task: &Task)
    where
        T: Element<P>,
    {
        let all = self.height / (2 * P);
        let most = steps_at_once(P).min(all);
        let mut tiles = buffer(task.columns.len() * most * P * 2);
        let width = most * P * 2;
        for first in (0..all).step_by(most.max(1)) {
            let steps = most.min(all - first);
            for (tiles, column) in tiles.chunks_mut(width).zip(task.columns.clone()) {
                // SAFETY: as for the left operand.
                unsafe {
                    panel::<T, P>(
                        self.right,
                        column * BLOCK,
                        (self.first + first) * DEPTH,
                        steps,
                        tiles.as_mut_ptr().cast(),
                    );
                }
            }
            // SAFETY: the processor has `isa`.
            let _session = (self.isa == Isa::Amx).then(|| unsafe { amx::Session::begin() });
            let mut block = Block::ZERO;
            for row in task.rows.clone() {
                let Some(a) = self.packed.get(row * self.height + first * P * 2) else { continue };
                for (b, column) in tiles.chunks(width).zip(task.columns.clone()) {
                    let (a, b) = (std::ptr::from_ref(a).cast(), b.as_ptr().cast());
                    // SAFETY: both panels hold `steps` steps from here; the block is inside `out`.
                    unsafe {
                        self.sum::<P>(a, b, steps, block.0.as_mut_ptr());
                        self.store(&block, row, column, self.out.accumulate || first > 0);
                    }
                }
            }
        }
    }

    /// The sum of `steps` steps of one block.
    ///
    /// # Safety
    /// As [`amx::one_plane`] or [`amx::three_planes`].
    unsafe fn sum<const P: usize>(&self, a: *const Tile, b: *const Tile, steps: usize, out: *mut f32) {
        // SAFETY: by this function's contract; three planes are asked for with tile registers alone.
        unsafe {
            match (P, self.isa) {
                (1, Isa::Amx) => amx::one_plane(a, b, steps, out),
                (1, _) => avx512::one_plane(a, b, steps, out),
                _ => amx::three_planes(a, b, steps, out),
            }
        }
    }

    /// Writes a block, or adds it.
    ///
    /// # Safety
    /// The part of the block that is inside the product must be inside `out`.
    #[target_feature(enable = "avx512f")]
    unsafe fn store(&self, block: &Block, row: usize, column: usize, add: bool) {
        let (first_row, first_column) = (row * BLOCK, column * BLOCK);
        let rows = (self.left.count() - first_row).min(BLOCK);
        let columns = self.right.count() - first_column;
        for row in 0..rows {
            for half in 0..2 {
                let width = columns.saturating_sub(half * TILE).min(TILE);
                let mask = ((1u32 << width) - 1) as u16;
                let place = (row / TILE * 2 + half) * TILE * TILE + row % TILE * TILE;
                // SAFETY: `place` is below 1024 - 15; masked lanes are neither read nor written.
                unsafe {
                    let mut sum: __m512 = _mm512_loadu_ps(block.0.as_ptr().add(place));
                    let to = self.out.at(first_row + row, first_column).wrapping_add(half * TILE);
                    if add {
                        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), sum);
                    }
                    _mm512_mask_storeu_ps(to, mask, sum);
                }
            }
        }
    }
}
