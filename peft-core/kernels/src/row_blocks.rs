//! The backward pass of a normalization: `dx` for each row, and the parameters' gradients summed over rows.

use crate::math::add_to;
use crate::parallel::{map, rows_per_task, zeros};

/// Consecutive rows that are normalized with the same parameters.
pub(crate) struct RowBlock<'a> {
    /// The index of these parameters.
    pub(crate) group: usize,
    width: usize,
    dx: &'a mut [f32],
    x: &'a [f32],
    g: &'a [f32],
}

impl RowBlock<'_> {
    /// Calls `f(dx row, x row, g row)` for every row.
    #[inline(always)]
    pub(crate) fn for_each_row(self, mut f: impl FnMut(&mut [f32], &[f32], &[f32])) {
        let dx = self.dx.chunks_exact_mut(self.width);
        let rest = self.x.chunks_exact(self.width);
        let rest = rest.zip(self.g.chunks_exact(self.width));
        for (dx, (x, g)) in dx.zip(rest) {
            f(dx, x, g);
        }
    }
}

/// Splits `x` and the result's gradient `g`, both `[rows, width]`, into `groups` equal parts and each part into blocks, and
/// runs `f` on every block.
///
/// `f` writes the block's rows of `dx` and returns what the block adds to the gradient of its group's parameters. The result
/// is `dx` and these gradients, `[groups, ..]`. Blocks depend on the shapes only and are summed in order, so the bytes do
/// not depend on the number of threads.
pub(crate) fn backward(
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
