//! Parallel loops over elements and rows. Small inputs stay on the calling thread, because waking other threads takes longer
//! than the work.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::math::add_to;
use crate::vectors::vectorized;

/// Elements per task. It must be even: dropout decides elements in pairs.
pub(crate) const TASK: usize = 1 << 14;

/// Rows of `width` elements per task.
pub(crate) fn rows_per_task(width: usize) -> usize {
    (TASK / width.max(1)).max(1)
}

/// `f(item)` for every item, in the order of the items.
pub(crate) fn map<I: Send, O: Send>(items: Vec<I>, f: impl Fn(I) -> O + Sync + Send) -> Vec<O> {
    if items.len() < 2 { items.into_iter().map(f).collect() } else { items.into_par_iter().map(f).collect() }
}

/// Calls `f(index of the first element, chunk)` for each consecutive chunk of `len` elements of `out`.
pub(crate) fn for_each_chunk(out: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if out.len() <= len {
        f(0, out);
    } else {
        out.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i * len, chunk));
    }
}

/// A vector of `len` numbers that `f(index of the first element, chunk)` writes chunk by chunk. `f` gets chunks of zeros.
///
/// Each task clears its own chunk right before `f` writes it, so the chunk is in the cache.
#[allow(unsafe_code, reason = "one thread does not clear memory that other threads write")]
pub(crate) fn build(len: usize, chunk: usize, f: impl Fn(usize, &mut [f32]) + Sync + Send) -> Vec<f32> {
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let spare = out.spare_capacity_mut().get_mut(..len).unwrap_or_default();
    let fill = |(i, part): (usize, &mut [MaybeUninit<f32>])| {
        for x in part.iter_mut() {
            x.write(0.0);
        }
        // SAFETY: every element of the part has just been written, and both types have one layout.
        let part = unsafe { &mut *(std::ptr::from_mut(part) as *mut [f32]) };
        f(i * chunk, part);
    };
    if len <= chunk {
        fill((0, spare));
    } else {
        spare.par_chunks_mut(chunk.max(1)).enumerate().for_each(fill);
    }
    // SAFETY: the chunks cover the first `len` elements, each of which was written.
    unsafe { out.set_len(len) };
    out
}

/// `len` zeros, written by all threads.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    build(len, TASK, |_, _| ())
}

vectorized! {
    /// `y_i += x_i`, on all threads.
    pub(crate) fn add(y: &mut [f32], x: &[f32]) {
        for_each_chunk(y, TASK, |start, y| add_to(y, tail(x, start)));
    }
}

/// A vector as long as `x`, which `f(output row, x row)` writes row by row. A row has `width` elements.
pub(crate) fn map_rows(x: &[f32], width: usize, f: impl Fn(&mut [f32], &[f32]) + Sync + Send) -> Vec<f32> {
    let width = width.max(1);
    build(x.len(), rows_per_task(width) * width, |start, y| {
        let x = tail(x, start).chunks_exact(width);
        for (y, x) in y.chunks_exact_mut(width).zip(x) {
            f(y, x);
        }
    })
}

/// `x[start..]`, or an empty slice if `start` is past the end.
#[inline(always)]
pub(crate) fn tail(x: &[f32], start: usize) -> &[f32] {
    x.get(start..).unwrap_or_default()
}
