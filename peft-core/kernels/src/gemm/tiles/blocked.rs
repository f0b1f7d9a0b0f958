//! Products in blocks: the left operand is packed once, the right one part by part, and every part is a task.

use std::arch::x86_64::{__m512, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use std::mem::MaybeUninit;

use super::pack::{Element, Lines, Tile, buffer, panel};
use super::{DEPTH, amx, avx512};
use crate::gemm::block::{BLOCK, Block, TILE};
use crate::gemm::output::{Output, for_each};
use crate::gemm::{Isa, Matrix, Threads};

/// Steps of 32 `k` that are summed before the result is written: a part of the right operand stays in the second-level
/// cache with them. Three planes take three times the room.
const STEPS: usize = 32;
/// Steps of the left operand that are packed at once, a multiple of [`STEPS`]: what is packed of a long sum stays small.
const SLICE: usize = 4 * STEPS;
/// Columns of a part of the right operand, as blocks.
const COLUMNS: usize = 8;
/// Tasks that a product has at least, if it has so many blocks.
const TASKS: usize = 4;
/// Blocks of rows that share a packed part of the right operand, where there are too few columns for several tasks.
const ROWS: usize = 8;

/// The blocks of rows and of columns that one task computes.
struct Task {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

/// Tasks by the sizes alone, so that the work of one is the same for any number of threads: four at least, of narrower parts
/// of the right operand rather than of fewer rows, since each task packs its part of the right operand itself.
fn tasks(rows: usize, columns: usize) -> Vec<Task> {
    let width = COLUMNS.min(columns.div_ceil(TASKS)).max(1);
    let height = if columns.div_ceil(width) < TASKS { rows.div_ceil(TASKS).max(ROWS) } else { rows };
    let starts = (0..columns).step_by(width);
    let task = |column: usize, row: usize| Task {
        rows: row..rows.min(row + height),
        columns: column..columns.min(column + width),
    };
    starts.flat_map(|column| (0..rows).step_by(height.max(1)).map(move |row| task(column, row))).collect()
}

/// `out = a b`, or `out += a b`; operands are split into `P` planes, one or three.
///
/// # Safety
/// As [`call`](crate::gemm::call); the processor must have `isa`, which must be tiles for three planes.
pub(super) unsafe fn blocked<T: Element<P>, const P: usize>(
    isa: Isa,
    out: Output,
    a: Matrix<'_>,
    b: Matrix<'_, T>,
    accumulate: bool,
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
            // SAFETY: the operand lies inside its slice, and a panel of these steps has `height` tiles.
            unsafe { panel::<f32, P>(left, i * BLOCK, first * DEPTH, steps, tiles.as_mut_ptr().cast()) }
        });
        let (packed, accumulate) = (&packed, accumulate || first > 0);
        for_each(tasks(rows, columns), threads, |task| {
            let part = Part { isa, left, right, packed, first, height, out, accumulate };
            // SAFETY: by this function's contract; tasks are disjoint.
            unsafe { part.run::<P>(&task) };
        });
    }
}

/// What the tasks of one product share.
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
    accumulate: bool,
}

impl<T> Part<'_, T> {
    /// # Safety
    /// As [`blocked`].
    unsafe fn run<const P: usize>(&self, task: &Task)
    where
        T: Element<P>,
    {
        let all = self.height / (2 * P);
        let most = (STEPS / P.min(2)).min(all);
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
                    // SAFETY: both panels hold `steps` steps from here; the block lies inside `out`.
                    unsafe {
                        self.sum::<P>(a, b, steps, block.0.as_mut_ptr());
                        self.store(&block, row, column, self.accumulate || first > 0);
                    }
                }
            }
        }
    }

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
    /// The part of the block that lies inside the product must lie inside `out`.
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
