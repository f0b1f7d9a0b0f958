//! Backward passes of row-wise normalisations: `dx` row by row, parameter gradients summed over the rows.

use super::math::add_to;
use super::parallel::{map, rows_per_task, zeros};

/// Consecutive rows that share their parameters.
pub(super) struct RowBlock<'a> {
    /// Which parameter row they share.
    pub(super) group: usize,
    width: usize,
    dx: &'a mut [f32],
    x: &'a [f32],
    g: &'a [f32],
}

impl RowBlock<'_> {
    /// Calls `f(dx row, x row, g row)` for every row.
    #[inline(always)]
    pub(super) fn for_each_row(self, mut f: impl FnMut(&mut [f32], &[f32], &[f32])) {
        let dx = self.dx.chunks_exact_mut(self.width);
        let rest = self.x.chunks_exact(self.width);
        let rest = rest.zip(self.g.chunks_exact(self.width));
        for (dx, (x, g)) in dx.zip(rest) {
            f(dx, x, g);
        }
    }
}

/// Runs `f` on blocks of the `groups` equal parts of `x` and its output's gradient `g`, both `[rows, width]`.
///
/// `f` writes the block's rows of `dx` and returns the block's share of its group's parameter gradient. The
/// result is `dx` and the parameter gradients `[groups, ..]`. Blocks depend on the shapes alone and are summed
/// in order, hence the same bytes for any number of threads.
pub(super) fn backward(
    x: &[f32],
    g: &[f32],
    width: usize,
    groups: usize,
    f: impl Fn(RowBlock<'_>) -> Vec<f32> + Sync + Send,
) -> (Vec<f32>, Vec<f32>) {
    let width = width.max(1);
    let mut dx = zeros(x.len());
    let group_len = (x.len() / groups.max(1)).max(1);
    let block_len = rows_per_task(width) * width;
    let blocks = dx
        .chunks_mut(group_len)
        .zip(x.chunks(group_len).zip(g.chunks(group_len)))
        .enumerate()
        .flat_map(|(group, (dx, (x, g)))| {
            dx.chunks_mut(block_len)
                .zip(x.chunks(block_len).zip(g.chunks(block_len)))
                .map(move |(dx, (x, g))| RowBlock { group, width, dx, x, g })
        })
        .collect();
    let shares = map(blocks, |block| (block.group, f(block)));
    (dx, sum_by_group(shares, groups))
}

fn sum_by_group(shares: Vec<(usize, Vec<f32>)>, groups: usize) -> Vec<f32> {
    let len = shares.first().map_or(0, |(_, share)| share.len());
    let mut sums = vec![0.0; groups * len];
    for (group, share) in shares {
        if let Some(sum) = sums.get_mut(group * len..(group + 1) * len) {
            add_to(sum, &share);
        }
    }
    sums
}
