//! Ranks: processes that train one model together. Each has all of the model and a part of every step's sentences.
//!
//! The trainer knows only [`Collective`]. [`Alone`] is one process; [`Mpi`] is many, with the feature `mpi`.

mod alone;
mod exchange;
#[cfg(feature = "mpi")]
mod mpi;
mod same;

#[cfg(test)]
pub(crate) mod threads;

pub use alone::Alone;
pub(crate) use exchange::{StepPart, sum_gradients};
#[cfg(feature = "mpi")]
pub use mpi::{Mpi, MpiProcess};
pub(crate) use same::require_same_everywhere;

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;

use crate::Result;

/// What ranks do together. Every rank must call the same functions in the same order; each waits for the others.
///
/// A rank that fails does not take part any more, and the others would wait for ever: [`stop_all`](Self::stop_all) ends them.
pub trait Collective: Debug + Send + Sync {
    /// The number of this rank, from 0. Rank 0 writes files and speaks to people.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> NonZeroUsize;

    /// Replaces `values`, which are as many on every rank, by their sums over the ranks: `((v₀ + v₁) + v₂) + …`, each addition
    /// rounded to f32. So the same number of ranks gives the same bits, on every rank and every time.
    ///
    /// # Errors
    /// If a rank is gone.
    fn sum(&self, values: &mut [f32]) -> Result<()>;

    /// What each rank gives, in the order of the ranks.
    ///
    /// # Errors
    /// If a rank is gone.
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Replaces `bytes` by those of rank 0.
    ///
    /// # Errors
    /// If a rank is gone.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Waits until every rank has come here.
    ///
    /// # Errors
    /// If a rank is gone.
    fn barrier(&self) -> Result<()>;

    /// Ends the processes of all ranks with this exit code. One process does nothing: it ends by itself.
    fn stop_all(&self, code: u8) {
        let _ = code;
    }
}

/// The ranks that this process trains with. Default: it trains alone.
#[derive(Debug, Clone)]
pub struct Ranks(Arc<dyn Collective>);

impl Ranks {
    /// The ranks of `collective`.
    pub fn new(collective: impl Collective + 'static) -> Self {
        Self(Arc::new(collective))
    }

    /// Whether this process writes files and speaks to people.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there are others.
    pub fn are_many(&self) -> bool {
        self.size().get() > 1
    }
}

impl Default for Ranks {
    fn default() -> Self {
        Self::new(Alone)
    }
}

impl Deref for Ranks {
    type Target = dyn Collective;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
