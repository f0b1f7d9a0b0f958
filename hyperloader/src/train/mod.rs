//! Training: one loop for every objective.
//!
//! [`Trainer`] turns an [`Objective`] (multi-task labelling, or denoising for pretraining) into optimizer steps, checkpoints
//! and log lines. Everything that a step needs, apart from the weights, is either a function of the seed and the step's
//! number, or saved with the checkpoint. A resumed run therefore ends in the same bytes.

mod check;
mod checkpoint;
mod inputs;
mod interrupt;
mod labelling;
mod objective;
mod options;
mod prefetcher;
mod trainer;

pub use check::{check_gradients, compare_gradients};
pub(crate) use checkpoint::inputs_of;
pub use checkpoint::{Best, State};
pub use inputs::Inputs;
pub(crate) use inputs::require_same_inputs;
#[cfg(feature = "cli")]
pub(crate) use interrupt::INTERRUPTED;
pub use interrupt::Interrupt;
pub use labelling::{Labelling, LabellingOptions, TaskBatch, TaskData};
pub use objective::{Loss, Objective, Score, Step};
pub use options::TrainOptions;
pub use trainer::{TrainOutput, Trainer};
