//! What the engine needs to know of a configuration.

use std::num::NonZeroUsize;

use peft_kernels::Kernels;

use crate::optim::Schedule;

/// How long and how to train, whatever the objective.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed of dropout.
    pub seed: u64,
    /// Optimizer steps.
    pub max_steps: usize,
    /// Micro-batches a step; their gradients are averaged.
    pub gradient_accumulation_steps: NonZeroUsize,
    /// The learning rate.
    pub schedule: Schedule,
    /// The global norm to which gradients are clipped.
    pub max_grad_norm: f64,
    /// Steps between checkpoints; 0: only the last.
    pub save_steps: usize,
    /// Steps between validations; 0: only the last.
    pub eval_steps: usize,
    /// Steps between lines of the log.
    pub logging_steps: NonZeroUsize,
    /// Checkpoints to keep, beside the best.
    pub save_total_limit: usize,
    /// Whether the best checkpoint is selected by its validation score; otherwise the last is.
    pub select_best: bool,
    /// Whether the objective's loss is a mean over tokens; otherwise it is their sum.
    pub loss_is_mean: bool,
    /// The kernels to compute with.
    pub kernels: Kernels,
    /// The file of trained weights within a checkpoint.
    pub weights_file: &'static str,
    /// Optimizer steps that draw as many sentences as there are.
    pub steps_per_epoch: f64,
}
