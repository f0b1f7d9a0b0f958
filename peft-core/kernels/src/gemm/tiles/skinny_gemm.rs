//! Few rows by a large weight, as in decoding. Reading or packing the weight takes most of the time. A `bf16` weight is read in
//! place, as tiles. An `f32` weight is split line by line, as a left operand is, and used while it is in the cache. The blocks
//! of the result are transposed when they are written.
//!
//! An element is summed in the order of `blocked.rs`, so its bits do not depend on the number of rows.

use half::bf16;

use super::amx;
use super::blocked::steps_at_once;
use super::pack::{DEPTH, Lines, Tile, buffer, panel};
use crate::gemm::block::{BLOCK, Block};
use crate::gemm::isa::Isa;
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::view::Matrix;

/// The most rows. With more, the weight is read so often that packing it is faster.
const MOST_ROWS: usize = 128;
/// The same for `f32`.
const MOST_ROWS_F32: usize = 96;
/// Blocks of the weight's rows per task.
const TASK: usize = 4;

/// Whether [`product_f32`] applies and is faster than blocks. The weight must consist of whole blocks, with contiguous rows.
pub(super) fn applies_to_f32(a: &Matrix<'_>, b: &Matrix<'_>) -> bool {
    a.rows <= MOST_ROWS_F32 && b.row_stride == 1 && b.cols.is_multiple_of(BLOCK) && b.rows > 0
}

/// `out = a b` of `f32`.
///
/// # Safety
/// As `call` in `product.rs`; [`applies_to_f32`] must hold and the processor have tile registers.
pub(super) unsafe fn product_f32(out: Output, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    let (rows, weight) = (Lines::right(a.t()), Lines::left(b.t()));
    let steps = rows.depth().div_ceil(DEPTH);
    let count = rows.count();
    let height = steps * 3 * 2;
    let mut packed = buffer(count.div_ceil(BLOCK) * height);
    for (i, tiles) in packed.chunks_mut(height).enumerate() {
        // SAFETY: the operand is inside its slice, and the panel has `height` tiles.
        unsafe { panel::<f32, 3>(rows, i * BLOCK, 0, steps, tiles.as_mut_ptr().cast()) };
    }
    let packed = &packed;
    let blocks: Vec<_> = (0..b.cols / BLOCK).collect();
    let tasks: Vec<_> = blocks.chunks(TASK).collect();
    for_each(tasks, threads, |task| {
        let mut tiles = buffer(height);
        let mut block = Block::ZERO;
        for column in task {
            // SAFETY: as above.
            unsafe { panel::<f32, 3>(weight, column * BLOCK, 0, steps, tiles.as_mut_ptr().cast()) };
            // SAFETY: the processor has the registers, by this function's contract.
            let _session = unsafe { amx::Session::begin() };
            for (i, x) in packed.chunks(height).enumerate() {
                let (weight, x): (*const Tile, *const Tile) = (tiles.as_ptr().cast(), x.as_ptr().cast());
                for first in (0..steps).step_by(steps_at_once(3)) {
                    let some = steps_at_once(3).min(steps - first);
                    // SAFETY: both panels hold `some` steps after `first` steps; tasks write disjoint columns of `out`.
                    unsafe {
                        let (weight, x) = (weight.add(first * 3 * 2), x.add(first * 3 * 2));
                        amx::three_planes_transposed(weight, x, some, block.0.as_mut_ptr());
                        block.store_transposed(out.accumulate(first > 0), i * BLOCK, count, column * BLOCK);
                    }
                }
            }
        }
    });
}

/// Whether [`product_bf16`] applies. The weight must consist of whole tiles, with contiguous rows.
pub(super) fn applies(isa: Isa, a: &Matrix<'_>, b: &Matrix<'_, bf16>) -> bool {
    let whole = b.cols.is_multiple_of(BLOCK) && b.rows.is_multiple_of(DEPTH) && b.rows > 0;
    isa == Isa::Amx && a.rows <= MOST_ROWS && b.row_stride == 1 && whole
}

/// `out = a b`.
///
/// # Safety
/// As `call` in `product.rs`; [`applies`] must hold.
pub(super) unsafe fn product_bf16(out: Output, a: Matrix<'_>, b: Matrix<'_, bf16>, threads: Threads) {
    let rows = Lines::right(a.t());
    let steps = rows.depth() / DEPTH;
    let count = rows.count();
    let mut packed = buffer(count.div_ceil(BLOCK) * steps * 2);
    for (i, tiles) in packed.chunks_mut(steps * 2).enumerate() {
        // SAFETY: the operand is inside its slice, and the panel has `2 steps` tiles.
        unsafe { panel::<f32, 1>(rows, i * BLOCK, 0, steps, tiles.as_mut_ptr().cast()) };
    }
    let packed = &packed;
    let blocks = b.cols / BLOCK;
    let tasks: Vec<_> = (0..blocks).step_by(TASK).map(|first| first..blocks.min(first + TASK)).collect();
    for_each(tasks, threads, |task| {
        // SAFETY: the processor has the registers, by `applies`.
        let _session = unsafe { amx::Session::begin() };
        let mut block = Block::ZERO;
        for column in task {
            for (i, x) in packed.chunks(steps * 2).enumerate() {
                let stride = b.col_stride * size_of::<bf16>();
                for first in (0..steps).step_by(steps_at_once(1)) {
                    let some = steps_at_once(1).min(steps - first);
                    // SAFETY: there are 32 rows of the weight from here, `applies` says that there are so many, each with `some`
                    // steps after `first` steps; tasks write disjoint columns of `out`.
                    unsafe {
                        let weight = b.data.as_ptr().add(column * BLOCK * b.col_stride + first * DEPTH);
                        let x = x.as_ptr().cast::<Tile>().add(first * 2);
                        amx::in_place(weight.cast(), stride, x, some, block.0.as_mut_ptr());
                        block.store_transposed(out.accumulate(first > 0), i * BLOCK, count, column * BLOCK);
                    }
                }
            }
        }
    });
}
