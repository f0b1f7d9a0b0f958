//! Ranks: processes that train one model together. Each has all of the model and a part of every step's sentences.
//!
//! The trainer knows only [`Collective`]. [`Alone`] is one process; [`Tcp`] is many, whose launcher told them in variables where rank 0
//! is ([`Launch`]); [`Mpi`] is many with the feature `mpi`. `Nccl`, with the feature `nccl`, adds gradients from GPU to GPU, and
//! leaves everything else to one of these.

mod alone;
mod exchange;
#[cfg(any(feature = "nccl", test))]
mod in_order;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod same;
mod tcp;
#[cfg(any(feature = "nccl", test))]
mod worker;

#[cfg(test)]
pub(crate) mod threads;

pub use alone::Alone;
pub(crate) use exchange::StepPart;
pub use exchange::sum_gradients;
pub use launch::{Launch, local_rank};
#[cfg(feature = "mpi")]
pub use mpi::{Mpi, MpiProcess};
#[cfg(feature = "nccl")]
pub use nccl::Nccl;
pub(crate) use same::require_same_everywhere;
pub use tcp::Tcp;

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;

use candle_core::Tensor;
use peft_kernels::transfer;

use crate::{Error, Result};

/// What ranks do together. Every rank must call the same functions in the same order; each waits for the others.
///
/// A rank that fails does not take part any more, and the others would wait for ever: [`stop_all`](Self::stop_all) ends them.
pub trait Collective: Debug + Send + Sync {
    /// The number of this rank, from 0. Rank 0 writes files and speaks to people.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> NonZeroUsize;

    /// The sums of all `parts` of all ranks, element by element: the parts of rank 0 in their order, then those of rank 1, and so on,
    /// `((p₀ + p₁) + p₂) + …`, each addition rounded to f32. So all ranks get the same bits, and they do not depend on which rank has
    /// which part. Every rank has at least one part; all ranks have as many, and all parts are of one length.
    ///
    /// # Errors
    /// If a rank is gone, or parts differ in length.
    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>>;

    /// [`sum`](Self::sum) of tensors `[length]` in f32, all on one device, where the result is too: the same bits. Unless ranks exchange
    /// what is on a device, the tensors go over the host.
    ///
    /// # Errors
    /// As [`sum`](Self::sum); if a tensor operation fails.
    fn sum_tensors(&self, parts: Vec<Tensor>) -> Result<Tensor> {
        let device = parts.first().map(|part| part.device().clone());
        let device = device.ok_or_else(|| Error::Internal("ranks add up nothing".into()))?;
        let sums = self.sum(parts.iter().map(transfer::download).collect::<candle_core::Result<_>>()?)?;
        let length = sums.len();
        Ok(transfer::upload(sums, length, &device)?)
    }

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

    /// Whether all ranks are still there, as far as this one knows without waiting. For those who wait by other means than these
    /// functions.
    ///
    /// # Errors
    /// [`Error::Training`] naming the rank that is gone.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Ends the processes of all ranks with this exit code. One process does nothing: it ends by itself.
    fn stop_all(&self, code: u8) {
        let _ = code;
    }
}

/// The length of all `parts`.
///
/// # Errors
/// [`Error::Internal`] if there are none, or they differ.
fn length_of(parts: &[Vec<f32>]) -> Result<usize> {
    match parts.first().map(Vec::len) {
        Some(length) if parts.iter().all(|part| part.len() == length) => Ok(length),
        _ => Err(Error::Internal("ranks add up parts of several lengths".into())),
    }
}

/// Adds each of `parts` to `sums`, in their order.
fn add_up<'a>(sums: &mut [f32], parts: impl IntoIterator<Item = &'a [f32]>) {
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
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
