//! Few rows by a large weight, as in decoding: such a product waits for the weight, which is read once, row by row, where
//! it lies. The rows are packed, and the result comes out transposed.

use std::arch::x86_64::{__m512, _mm512_mask_storeu_ps};

use super::kernel::{prefetch, rows_by_panel};
use super::panel::{pack, vectors};
use super::wide::{Wide, lanes};
use super::{BLOCK, TILE};
use crate::gemm::block::Block;
use crate::gemm::output::{Output, for_each};
use crate::gemm::{Matrix, Threads};

/// Rows of the weight that are summed at once: a part of a block.
const ROWS: usize = BLOCK / 4;
/// Blocks of the weight's rows in one task.
const TASK: usize = 2;

/// `out = a b`, where the columns of `b` are contiguous and whole blocks.
///
/// # Safety
/// As [`product`](super::product).
pub(super) unsafe fn product<T: Wide>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
    let (rows, depth) = (a.rows, a.cols);
    let mut packed: Vec<f32> = Vec::with_capacity(rows.next_multiple_of(TILE) * depth);
    for first in (0..rows).step_by(BLOCK) {
        // SAFETY: by this function's contract; panels before the last have 32 columns each.
        unsafe { pack(a.t(), first, 0..depth, packed.as_mut_ptr().add(first * depth)) };
    }
    // SAFETY: the panels cover all of it.
    unsafe { packed.set_len(rows.next_multiple_of(TILE) * depth) };
    let tasks: Vec<_> =
        (0..b.cols).step_by(TASK * BLOCK).map(|first| first..b.cols.min(first + TASK * BLOCK)).collect();
    for_each(tasks, threads, |task| {
        let mut blocks = Vec::new();
        blocks.resize_with(rows.div_ceil(BLOCK), || Block::ZERO);
        let mut room = Vec::with_capacity(if T::IS_F32 { 0 } else { ROWS * depth });
        for column in task.step_by(BLOCK) {
            for group in (0..BLOCK).step_by(ROWS) {
                // SAFETY: by this function's contract: eight rows of the weight lie from here.
                unsafe {
                    let weight = wide_rows(b, column + group, &mut room);
                    for (i, block) in blocks.iter_mut().enumerate() {
                        if T::IS_F32 {
                            group_by_panel::<true>(weight, i, &packed, rows, group, block);
                        } else {
                            group_by_panel::<false>(weight, i, &packed, rows, group, block);
                        }
                    }
                }
            }
            for (i, block) in blocks.iter().enumerate() {
                // SAFETY: tasks write disjoint columns of `out`.
                unsafe { block.store_transposed(out, i * BLOCK, rows, column) };
            }
        }
    });
}

/// Rows of the weight: where they begin, how far apart they are, and how long.
#[derive(Clone, Copy)]
struct WeightRows {
    data: *const f32,
    stride: usize,
    depth: usize,
}

/// Eight columns of `b` from `first`, in place if they are `f32`, else widened into `room`.
///
/// # Safety
/// They must lie inside; `room` must have the capacity for what is widened.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn wide_rows<T: Wide>(b: Matrix<'_, T>, first: usize, room: &mut Vec<f32>) -> WeightRows {
    let depth = b.rows;
    // SAFETY: by this function's contract.
    unsafe {
        let data = b.data.as_ptr().add(first * b.col_stride);
        if T::IS_F32 {
            return WeightRows { data: data.cast(), stride: b.col_stride, depth };
        }
        let room = room.as_mut_ptr();
        for row in 0..ROWS {
            for k in (0..depth).step_by(TILE) {
                prefetch(data, (ROWS + row) * b.col_stride + k);
                let mask = lanes(depth - k);
                let numbers = T::load(data.add(row * b.col_stride + k), mask);
                _mm512_mask_storeu_ps(room.add(row * depth + k), mask, numbers);
            }
        }
        WeightRows { data: room, stride: depth, depth }
    }
}

/// Eight rows of the weight by panel `i` of the packed rows, into the rows from `group` of a block.
///
/// # Safety
/// The weight's rows must be there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn group_by_panel<const IN_PLACE: bool>(
    weight: WeightRows,
    i: usize,
    packed: &[f32],
    rows: usize,
    group: usize,
    block: &mut Block,
) {
    let WeightRows { data, stride, depth } = weight;
    let Some(panel) = packed.get(i * BLOCK * depth..) else { return };
    // SAFETY: by this function's contract; the panel has as many vectors as its rows take.
    unsafe {
        match vectors(rows - i * BLOCK) {
            1 => put(block, group, rows_by_panel::<ROWS, 1, IN_PLACE>(data, stride, panel.as_ptr(), depth)),
            _ => put(block, group, rows_by_panel::<ROWS, 2, IN_PLACE>(data, stride, panel.as_ptr(), depth)),
        }
    }
}

/// Writes sums to the rows from `group` of a block.
#[inline]
#[target_feature(enable = "avx512f")]
fn put<const V: usize>(block: &mut Block, group: usize, sums: [[__m512; V]; ROWS]) {
    for (row, sums) in (group..).zip(sums) {
        for (v, sum) in sums.into_iter().enumerate() {
            block.put(row, v, sum);
        }
    }
}
