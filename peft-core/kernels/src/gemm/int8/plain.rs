//! The product in plain loops: what defines it, and what processors without instructions for it run.

use rayon::prelude::*;

use super::rows::{Steps, bytes, steps};
use super::{Int8, element};
use crate::gemm::Threads;
use crate::vectors::vectorized;

/// Rows of one task: each row of the weight meets so many once it is in the cache.
const ROWS: usize = 8;

/// `x W^T`.
pub(super) fn product(x: &[f32], rows: usize, w: Int8<'_>, threads: Threads) -> Vec<f32> {
    let steps = steps(x, w.depth);
    let x = bytes(x, w.depth, &steps);
    let mut out = vec![0.0; rows * w.rows];
    let task = |(i, out): (usize, &mut [f32])| {
        let first = i * ROWS;
        some_rows(out, x.get(first * w.depth..).unwrap_or_default(), steps.get(first..).unwrap_or_default(), w);
    };
    match threads {
        Threads::All => out.par_chunks_mut(ROWS * w.rows).enumerate().for_each(task),
        Threads::One => out.chunks_mut(ROWS * w.rows).enumerate().for_each(task),
    }
    out
}

vectorized! {
    /// The rows that `out` has room for.
    fn some_rows(out: &mut [f32], x: &[u8], steps: &[Steps], w: Int8<'_>) {
        for (column, row) in w.rows_from(0).enumerate() {
            let rows = out.chunks_exact_mut(w.rows).zip(x.chunks_exact(w.depth.max(1))).zip(steps);
            for ((out, x), steps) in rows {
                if let Some(out) = out.get_mut(column) {
                    *out = element(dot(x, row.bytes), *steps, row.scale, row.sum);
                }
            }
        }
    }
}

/// `Σ x w`, for bytes without a sign by bytes with one.
#[inline(always)]
fn dot(x: &[u8], w: &[u8]) -> i32 {
    x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w as i8)).sum()
}
