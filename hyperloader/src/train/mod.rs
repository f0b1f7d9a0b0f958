//! Training: one loop for every objective.
//!
//! [`Trainer`] turns an [`Objective`] (multi-task labelling, or denoising for pretraining) into optimizer steps, checkpoints
//! and log lines. Everything that a step needs, apart from the weights, is either a function of the seed and the step's
//! number, or saved with the checkpoint. A resumed run therefore ends in the same bytes.
//!
//! Several processes can train one model together, as the [`Ranks`] of a [`Collective`]: each computes its share of a step's
//! micro-batches, and the gradients are added.

// What crosses between host and device in a step is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod check;
mod checkpoint;
mod collective;
mod inputs;
mod interrupt;
mod labelling;
mod objective;
mod options;
mod prefetcher;
mod share;
mod trainer;

pub use check::{check_gradients, compare_gradients};
pub use checkpoint::{Best, State};
pub(crate) use checkpoint::{inputs_of, ranks_of};
#[cfg(feature = "nccl")]
pub use collective::Nccl;
#[cfg(test)]
pub(crate) use collective::threads;
pub use collective::{Alone, Collective, Launch, Ranks, Tcp, local_rank, sum_gradients};
#[cfg(feature = "mpi")]
pub use collective::{Mpi, MpiProcess};
pub use inputs::Inputs;
pub(crate) use inputs::require_same_inputs;
#[cfg(feature = "cli")]
pub(crate) use interrupt::INTERRUPTED;
pub use interrupt::Interrupt;
pub use labelling::{Labelling, LabellingOptions, TaskBatch, TaskData};
pub use objective::{Loss, Objective, Score, Step};
pub use options::TrainOptions;
pub(crate) use share::{share_folder, share_value};
pub use trainer::{TrainOutput, Trainer};
