//! `[train]`: the optimization.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use peft_kernels::{Kernels, Reduction, SmoothedCrossEntropy};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::optional;
use crate::optim::{AdamWConfig, Schedule, ScheduleKind};
use crate::train::TrainOptions;
use peft_core::nonzero;

/// Steps, batches, optimizer, checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The run folder. Default: none; the command line's `--out` or this must name it.
    #[serde(deserialize_with = "optional::path")]
    pub output_dir: Option<PathBuf>,
    /// Optimizer steps. Default 65536.
    #[default(nonzero(65_536))]
    pub max_steps: NonZeroUsize,
    /// Sentences of one micro-batch, all of one task. Default 32.
    #[default(nonzero(32))]
    pub batch_size: NonZeroUsize,
    /// Micro-batches of one step. They share the task, and their gradients are averaged: the paper's four GPUs. Default 4.
    #[default(nonzero(4))]
    pub gradient_accumulation_steps: NonZeroUsize,
    /// The highest learning rate. Default 3e-4.
    #[default(3e-4)]
    pub learning_rate: f64,
    /// The shape of the learning rate after the warm-up. Default `"linear"`.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up. Default 500.
    #[default(500)]
    pub warmup_steps: usize,
    /// `ε` in `[0, 1)`: the share of the target that is spread evenly over the vocabulary. Default 0.1.
    #[default(0.1)]
    pub label_smoothing: f64,
    /// How the losses of a micro-batch's tokens become one. Default `"sum"`.
    pub loss_reduction: Reduction,
    /// The norm that the gradient of all variables together is clipped to. Default 1.
    #[default(1.0)]
    pub max_grad_norm: f64,
    /// AdamW. Default: that of transformers 3.5.1, without weight decay.
    pub optimizer: AdamWConfig,
    /// Steps from one validation to the next; 0: only after the last step. Default 1000.
    #[default(1000)]
    pub eval_steps: usize,
    /// Steps from one checkpoint to the next; 0: only at the end. Default 1000.
    #[default(1000)]
    pub save_steps: usize,
    /// How many checkpoints are kept in addition to the best. Default 1.
    #[default(nonzero(1))]
    pub save_total_limit: NonZeroUsize,
    /// Steps from one line of metrics to the next. Default 50.
    #[default(nonzero(50))]
    pub logging_steps: NonZeroUsize,
    /// Whether the checkpoint with the best validation micro-F1, averaged over the tasks, is kept as the run's result.
    /// Default `true`; otherwise the last one is.
    #[default(true)]
    pub select_best: bool,
    /// Validation sentences per task used during training; 0: all. Default 0.
    pub eval_sentences: usize,
    /// Which kernels run: `"fused"`, `"device"` or `"plain"`. Default `"fused"`.
    pub kernels: Kernels,
}

impl TrainConfig {
    /// The loss of labelling: `label_smoothing` and `loss_reduction`.
    pub fn loss(&self) -> SmoothedCrossEntropy {
        SmoothedCrossEntropy {
            label_smoothing: self.label_smoothing,
            reduction: self.loss_reduction,
            ..SmoothedCrossEntropy::default()
        }
    }

    /// The learning rate as a function of the step.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            kind: self.schedule,
            peak: self.learning_rate,
            warmup_steps: self.warmup_steps,
            total_steps: self.max_steps.get(),
        }
    }
}

/// Everything but the seed and the steps of an epoch.
impl From<&TrainConfig> for TrainOptions {
    fn from(train: &TrainConfig) -> Self {
        Self {
            max_steps: train.max_steps.get(),
            gradient_accumulation_steps: train.gradient_accumulation_steps,
            optimizer: train.optimizer,
            schedule: train.schedule(),
            max_grad_norm: train.max_grad_norm,
            save_steps: train.save_steps,
            eval_steps: train.eval_steps,
            logging_steps: train.logging_steps,
            save_total_limit: train.save_total_limit.get(),
            select_best: train.select_best,
            loss_is_mean: train.loss_reduction == Reduction::Mean,
            kernels: train.kernels,
            ..Self::default()
        }
    }
}
