//! The product as plain loops, which define it. Processors without instructions for it run them.

use rayon::prelude::*;

use super::steps::{Steps, bytes, steps};
use super::weight::Int8;
use crate::gemm::threads::Threads;
use crate::vectors::vectorized;

/// Rows per task: each row of the weight is multiplied by so many while it is in the cache.
const ROWS_PER_TASK: usize = 8;

/// `x W^T`.
pub(super) fn product(x: &[f32], rows: usize, w: Int8<'_>, threads: Threads) -> Vec<f32> {
    let steps = steps(x, w.depth);
    let x = bytes(x, w.depth, &steps);
    let mut out = vec![0.0; rows * w.rows];
    let task = |(i, out): (usize, &mut [f32])| {
        let first = i * ROWS_PER_TASK;
        some_rows(out, x.get(first * w.depth..).unwrap_or_default(), steps.get(first..).unwrap_or_default(), w);
    };
    match threads {
        Threads::All => out.par_chunks_mut(ROWS_PER_TASK * w.rows).enumerate().for_each(task),
        Threads::One => out.chunks_mut(ROWS_PER_TASK * w.rows).enumerate().for_each(task),
    }
    out
}

vectorized! {
    /// Computes the rows of `out`.
    fn some_rows(out: &mut [f32], x: &[u8], steps: &[Steps], w: Int8<'_>) {
        for (column, row) in w.rows_from(0).enumerate() {
            let rows = out.chunks_exact_mut(w.rows).zip(x.chunks_exact(w.depth.max(1))).zip(steps);
            for ((out, x), steps) in rows {
                if let Some(out) = out.get_mut(column) {
                    *out = steps.element(dot(x, row.bytes), row.scale, row.sum);
                }
            }
        }
    }
}

/// `Σ x w` of unsigned bytes `x` and signed bytes `w`.
#[inline(always)]
fn dot(x: &[u8], w: &[u8]) -> i32 {
    x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w as i8)).sum()
}
