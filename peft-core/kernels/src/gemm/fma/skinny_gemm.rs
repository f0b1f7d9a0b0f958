//! Few rows by a large weight, as in decoding. Reading the weight takes most of the time, so it is read once, row by row, in
//! place. The rows are packed, and the blocks of the result are transposed when they are written.

use std::arch::x86_64::{__m512, _mm512_mask_storeu_ps};

use super::kernel::{prefetch, rows_by_panel};
use super::panel::{pack, vectors};
use super::to_f32::ToF32;
use crate::gemm::block::{BLOCK, Block, TILE, lanes};
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::view::Matrix;

/// The rows of the weight that are summed at once, a part of a block.
const GROUP: usize = BLOCK / 4;
/// Blocks of the weight's rows per task.
const TASK: usize = 2;

/// `out = a b`, where the columns of `b` are contiguous and whole blocks.
///
/// # Safety
/// As `product` in `mod.rs`.
pub(super) unsafe fn product<T: ToF32>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
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
        let mut converted = Vec::with_capacity(if T::IS_F32 { 0 } else { GROUP * depth });
        for column in task.step_by(BLOCK) {
            for group in (0..BLOCK).step_by(GROUP) {
                // SAFETY: by this function's contract: there are eight rows of the weight from here.
                unsafe {
                    let weight = rows_as_f32(b, column + group, &mut converted);
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

/// Rows of the weight: `depth` numbers each, `stride` numbers apart.
#[derive(Clone, Copy)]
struct WeightRows {
    data: *const f32,
    stride: usize,
    depth: usize,
}

/// Eight columns of `b` from `first`: in place if they are `f32`, otherwise converted and written to `converted`.
///
/// # Safety
/// The columns must be inside; `converted` must have the capacity for them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn rows_as_f32<T: ToF32>(b: Matrix<'_, T>, first: usize, converted: &mut Vec<f32>) -> WeightRows {
    let depth = b.rows;
    // SAFETY: by this function's contract.
    unsafe {
        let data = b.data.as_ptr().add(first * b.col_stride);
        if T::IS_F32 {
            return WeightRows { data: data.cast(), stride: b.col_stride, depth };
        }
        let converted = converted.as_mut_ptr();
        for row in 0..GROUP {
            for k in (0..depth).step_by(TILE) {
                prefetch(data, (GROUP + row) * b.col_stride + k);
                let mask = lanes(depth - k);
                let numbers = T::load(data.add(row * b.col_stride + k), mask);
                _mm512_mask_storeu_ps(converted.add(row * depth + k), mask, numbers);
            }
        }
        WeightRows { data: converted, stride: depth, depth }
    }
}

/// Multiplies eight rows of the weight by panel `i` of the packed rows, and writes the rows from `group` of a block.
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
            1 => put(block, group, rows_by_panel::<GROUP, 1, IN_PLACE>(data, stride, panel.as_ptr(), depth)),
            _ => put(block, group, rows_by_panel::<GROUP, 2, IN_PLACE>(data, stride, panel.as_ptr(), depth)),
        }
    }
}

/// Writes sums to the rows from `group` of a block.
#[inline]
#[target_feature(enable = "avx512f")]
fn put<const V: usize>(block: &mut Block, group: usize, sums: [[__m512; V]; GROUP]) {
    for (row, sums) in (group..).zip(sums) {
        for (v, sum) in sums.into_iter().enumerate() {
            block.put(row, v, sum);
        }
    }
}
