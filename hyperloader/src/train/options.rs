//! How long and how to train.

use std::num::NonZeroUsize;

use peft_core::nonzero;
use peft_kernels::Kernels;
use smart_default::SmartDefault;

use super::Inputs;
use crate::optim::{AdamWConfig, Schedule};
use crate::run::ADAPTER_FILE;

/// How long and how to train, for any objective. The defaults are the paper's.
#[derive(Debug, Clone, SmartDefault)]
pub struct TrainOptions {
    /// The seed of dropout. Default 42.
    #[default(42)]
    pub seed: u64,
    /// Optimizer steps. Default 65536.
    #[default(65_536)]
    pub max_steps: usize,
    /// Micro-batches of a step; their gradients are averaged. Default 4.
    #[default(nonzero(4))]
    pub gradient_accumulation_steps: NonZeroUsize,
    /// AdamW.
    pub optimizer: AdamWConfig,
    /// The learning rate.
    pub schedule: Schedule,
    /// The global norm to which gradients are clipped. Default 1.
    #[default(1.0)]
    pub max_grad_norm: f64,
    /// Steps between checkpoints; 0: only the last. Default 1000.
    #[default(1000)]
    pub save_steps: usize,
    /// Steps between validations; 0: only the last. Default 1000.
    #[default(1000)]
    pub eval_steps: usize,
    /// Steps between lines of the log. Default 50.
    #[default(nonzero(50))]
    pub logging_steps: NonZeroUsize,
    /// Checkpoints to keep in addition to the best. Default 1.
    #[default(1)]
    pub save_total_limit: usize,
    /// Whether the checkpoint with the best validation score is selected; otherwise the last is. Default `true`.
    #[default(true)]
    pub select_best: bool,
    /// Whether the objective's loss is a mean over tokens; otherwise it is their sum. Default `false`.
    pub loss_is_mean: bool,
    /// The kernels to compute with.
    pub kernels: Kernels,
    /// The file of trained weights within a checkpoint. Default [`ADAPTER_FILE`].
    #[default(ADAPTER_FILE)]
    pub weights_file: &'static str,
    /// Optimizer steps that draw as many sentences as the data holds, for the logged epoch. Default infinite: epoch 0.
    #[default(f64::INFINITY)]
    pub steps_per_epoch: f64,
    /// Hashes of what the run learns from. Each checkpoint keeps them, and is not continued on something else. Default none.
    pub inputs: Inputs,
}
