//! `[train]`: the optimization.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use peft_kernels::{Kernels, Reduction, SmoothedCrossEntropy};
use serde::{Deserialize, Serialize};

use crate::optim::{AdamWConfig, Schedule};
use peft_core::nonzero;

/// Steps, batches, optimizer, checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The run folder. Default: none; the command line's `--out` or this must name it.
    pub output_dir: Option<PathBuf>,
    /// Optimizer steps. Default 65536.
    pub max_steps: NonZeroUsize,
    /// Sentences of one micro-batch, all of one task. Default 32.
    pub batch_size: NonZeroUsize,
    /// Micro-batches of one step. They share the task, and their gradients are averaged: the paper's four GPUs. Default 4.
    pub gradient_accumulation_steps: NonZeroUsize,
    /// The highest learning rate. Default 3e-4.
    pub learning_rate: f64,
    /// The shape of the learning rate after the warm-up. Default `"linear"`.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up. Default 500.
    pub warmup_steps: usize,
    /// `ε` in `[0, 1)`: the share of the target that is spread evenly over the vocabulary. Default 0.1.
    pub label_smoothing: f64,
    /// How the losses of a micro-batch's tokens become one. Default `"sum"`.
    pub loss_reduction: LossReduction,
    /// The norm that the gradient of all variables together is clipped to. Default 1.
    pub max_grad_norm: f64,
    /// AdamW. Default: that of transformers 3.5.1, without weight decay.
    pub optimizer: AdamWConfig,
    /// Steps from one validation to the next; 0: only after the last step. Default 1000.
    pub eval_steps: usize,
    /// Steps from one checkpoint to the next; 0: only at the end. Default 1000.
    pub save_steps: usize,
    /// How many checkpoints are kept beside the best. Default 1.
    pub save_total_limit: NonZeroUsize,
    /// Steps from one line of metrics to the next. Default 50.
    pub logging_steps: NonZeroUsize,
    /// Whether the checkpoint with the best validation micro-F1, averaged over the tasks, is kept as the run's result.
    /// Default `true`; otherwise the last one is.
    pub select_best: bool,
    /// Validation sentences per task used during training; 0: all. Default 0.
    pub eval_sentences: usize,
    /// Which kernels run. Default `"fused"`.
    pub kernels: Kernels,
}

/// The shape of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Falling in a straight line to 0 at the last step.
    #[default]
    Linear,
    /// Level.
    Constant,
    /// Half a cosine wave, to 0 at the last step.
    Cosine,
}

impl ScheduleKind {
    /// The schedule of this shape with its numbers.
    pub fn with(self, peak: f64, warmup_steps: usize, total_steps: NonZeroUsize) -> Schedule {
        let total_steps = total_steps.get();
        match self {
            Self::Constant => Schedule::Constant { peak, warmup_steps },
            Self::Linear => Schedule::Linear { peak, warmup_steps, total_steps },
            Self::Cosine => Schedule::Cosine { peak, warmup_steps, total_steps },
        }
    }
}

/// How the losses of a micro-batch's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReduction {
    /// Their sum over the tokens that are not padding: what the authors' label smoothing computes.
    #[default]
    Sum,
    /// Their mean over the tokens that are not padding.
    Mean,
}

impl TrainConfig {
    /// The loss of labelling: `label_smoothing` and `loss_reduction`.
    pub fn loss(&self) -> SmoothedCrossEntropy {
        let reduction = match self.loss_reduction {
            LossReduction::Sum => Reduction::Sum,
            LossReduction::Mean => Reduction::Mean,
        };
        SmoothedCrossEntropy { label_smoothing: self.label_smoothing, reduction, ..SmoothedCrossEntropy::default() }
    }

    /// The learning rate as a function of the step.
    pub fn schedule(&self) -> Schedule {
        self.schedule.with(self.learning_rate, self.warmup_steps, self.max_steps)
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            output_dir: None,
            max_steps: nonzero(65_536),
            batch_size: nonzero(32),
            gradient_accumulation_steps: nonzero(4),
            learning_rate: 3e-4,
            schedule: ScheduleKind::default(),
            warmup_steps: 500,
            label_smoothing: 0.1,
            loss_reduction: LossReduction::default(),
            max_grad_norm: 1.0,
            optimizer: AdamWConfig::default(),
            eval_steps: 1000,
            save_steps: 1000,
            save_total_limit: nonzero(1),
            logging_steps: nonzero(50),
            select_best: true,
            eval_sentences: 0,
            kernels: Kernels::default(),
        }
    }
}
