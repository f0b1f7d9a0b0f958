//! The threads that a product may use.

use gemm::Parallelism;

/// The threads that a product may use. The bytes of the result do not depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    /// The calling thread only, for products inside a parallel loop.
    One,
    /// All threads of the current rayon pool.
    All,
}

impl From<Threads> for Parallelism {
    fn from(threads: Threads) -> Self {
        match threads {
            Threads::One => Self::None,
            Threads::All if rayon::current_num_threads() == 1 => Self::None,
            Threads::All => Self::Rayon(0),
        }
    }
}

/// Runs `f` on every item, on all threads or on the calling one.
#[cfg(target_arch = "x86_64")]
pub(super) fn for_each<T: Send>(items: Vec<T>, threads: Threads, f: impl Fn(T) + Sync + Send) {
    use rayon::prelude::*;
    match threads {
        Threads::All if rayon::current_num_threads() > 1 && items.len() > 1 => items.into_par_iter().for_each(f),
        _ => items.into_iter().for_each(f),
    }
}
