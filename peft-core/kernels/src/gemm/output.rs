//! Where products are written, by several threads.

use rayon::prelude::*;

use super::Threads;

/// Where the product goes: rows `stride` numbers apart.
#[derive(Clone, Copy)]
pub(in crate::gemm) struct Output {
    data: *mut f32,
    stride: usize,
}

// SAFETY: tasks write disjoint blocks of it.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    pub(in crate::gemm) fn new(data: *mut f32, stride: usize) -> Self {
        Self { data, stride }
    }

    /// Row `row` from column `column`.
    ///
    /// # Safety
    /// Both must lie inside.
    pub(in crate::gemm) unsafe fn at(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: by this function's contract.
        unsafe { self.data.add(row * self.stride + column) }
    }
}

/// Runs `f` on every item, on all threads or on this one.
pub(in crate::gemm) fn for_each<T: Send>(items: Vec<T>, threads: Threads, f: impl Fn(T) + Sync + Send) {
    match threads {
        Threads::All if rayon::current_num_threads() > 1 && items.len() > 1 => items.into_par_iter().for_each(f),
        _ => items.into_iter().for_each(f),
    }
}
