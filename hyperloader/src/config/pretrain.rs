//! `[pretrain]`: your own backbone.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datasets::noise::NoiseOptions;
use peft_core::nonzero;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{T5Shape, optional};
use crate::optim::{AdamWConfig, Schedule, ScheduleKind};
use crate::train::TrainOptions;

/// T5 span corruption on plain text, mixed with sentinel copying on request.
///
/// With `shape` or `config` a model begins from random weights; without either, the one that `[model]` names is continued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainConfig {
    /// The folder for the model and its tokenizer. Default: none; the command line's `--out` or this must name it.
    #[serde(deserialize_with = "optional::path")]
    pub output_dir: Option<PathBuf>,
    /// A built-in shape (`t5-small`) or the path of a `config.json`, for a model from random weights.
    pub config: Option<String>,
    /// Plain text files, one sentence per line. Default: the training sentences of `[[tasks]]`.
    pub text: Vec<PathBuf>,
    /// The tokenizer's folder or file. Default: one is trained on the text; a continued model has its own.
    #[serde(deserialize_with = "optional::path")]
    pub tokenizer: Option<PathBuf>,
    /// Tokens of the tokenizer that is trained, the special ones included. Default 4096.
    #[default(nonzero(4096))]
    pub vocab_size: NonZeroUsize,
    /// Whether the tag words of the tasks become single tokens and are among the words that copying sees: a frozen backbone
    /// cannot learn a word that it never met. Default `true`.
    #[default(true)]
    pub keep_tags: bool,
    /// The share of the tokens that span corruption masks, in `(0, 1)`. Default 0.15.
    #[default(0.15)]
    pub noise_density: f64,
    /// The mean length of a masked span in tokens, at least 1. Default 3.
    #[default(3.0)]
    pub mean_span_length: f64,
    /// The share of the examples that copy words by their sentinels, in `[0, 1]`. Default 0.
    pub copy_fraction: f64,
    /// In a copying example: the share of the words that is replaced by other words, in `[0, 1]`. Default 0.3.
    #[default(0.3)]
    pub word_noise: f64,
    /// The share of the copying examples that take a stretch of the sentence, of a random length from one word on, in
    /// `[0, 1]`: small models learn to copy from short stretches first. Default 0.
    pub copy_stretch: f64,
    /// Most tokens of a source or target, `</s>` included. Default 128.
    #[default(nonzero(128))]
    pub max_length: NonZeroUsize,
    /// Optimizer steps. Default 10000.
    #[default(nonzero(10_000))]
    pub max_steps: NonZeroUsize,
    /// Sentences of one step. Default 64.
    #[default(nonzero(64))]
    pub batch_size: NonZeroUsize,
    /// The highest learning rate. Default 1e-3.
    #[default(1e-3)]
    pub learning_rate: f64,
    /// The shape of the learning rate after the warm-up. Default `"linear"`.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up. Default 500.
    #[default(500)]
    pub warmup_steps: usize,
    /// `ε` in `[0, 1)` of the label smoothing; the loss is a mean over tokens. Default 0.
    pub label_smoothing: f64,
    /// The norm that the gradient is clipped to. Default 1.
    #[default(1.0)]
    pub max_grad_norm: f64,
    /// Steps from one line of metrics to the next. Default 50.
    #[default(nonzero(50))]
    pub logging_steps: NonZeroUsize,
    /// Steps from one checkpoint to the next; 0: only at the end. Default 1000.
    #[default(1000)]
    pub save_steps: usize,
    /// AdamW, with its weight decay.
    pub optimizer: AdamWConfig,
    /// Of a model from random weights: how steeply the relative position biases of its self-attention prefer neighbors at
    /// the start ([`local_biases`](peft_t5::local_biases)); 0: random, as T5's own. Default 0.
    pub local_bias: f64,
    /// The sizes of a model from random weights.
    pub shape: Option<T5Shape>,
}

impl PretrainConfig {
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

/// Everything but the seed, the kernels, the file of weights and the steps of an epoch.
impl From<&PretrainConfig> for TrainOptions {
    fn from(pretrain: &PretrainConfig) -> Self {
        Self {
            max_steps: pretrain.max_steps.get(),
            gradient_accumulation_steps: NonZeroUsize::MIN,
            optimizer: pretrain.optimizer,
            schedule: pretrain.schedule(),
            max_grad_norm: pretrain.max_grad_norm,
            save_steps: pretrain.save_steps,
            eval_steps: 0,
            logging_steps: pretrain.logging_steps,
            select_best: false,
            loss_is_mean: true,
            ..Self::default()
        }
    }
}

impl From<&PretrainConfig> for NoiseOptions {
    fn from(pretrain: &PretrainConfig) -> Self {
        Self {
            noise_density: pretrain.noise_density,
            mean_span_length: pretrain.mean_span_length,
            copy_fraction: pretrain.copy_fraction,
            word_noise: pretrain.word_noise,
            copy_stretch: pretrain.copy_stretch,
            max_source_length: pretrain.max_length.get(),
            max_target_length: pretrain.max_length.get(),
        }
    }
}
