//! `[data]`: what holds for the data of all tasks.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datasets::read::OnBadLine;
use serde::{Deserialize, Serialize};

use super::count;

/// How sentences become training examples, and how tasks are mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Most tokens of a source, `</s>` included; the tail of a longer one is cut, and counted. Default 128.
    pub max_source_length: NonZeroUsize,
    /// Most tokens of a target, `</s>` included. Default 128.
    pub max_target_length: NonZeroUsize,
    /// `T` of the task mixing: with `n` sentences a task has probability `p ∝ n^(1/T)`. 1 is proportional to size,
    /// infinity (`inf`) uniform. Default 10.
    pub temperature: f64,
    /// The share of the training and validation sentences that is used, in `(0, 1]`; test data stay whole. Default 1.
    pub fraction: f64,
    /// What a line that cannot be read does: `"fail"` ends the work, `"skip"` leaves the sentence out and counts it.
    /// Default `"fail"`.
    pub on_bad_line: OnBadLine,
    /// Whether the sentences of a training step are sorted by length before they are cut into micro-batches, which leaves
    /// less of each to padding. What a step is trained on stays the same; with one micro-batch a step nothing changes. Not
    /// with `train.loss_reduction = "mean"`, where it would change the weight of a sentence. Default: as if `true` with
    /// `"sum"`, `false` with `"mean"`.
    pub length_buckets: Option<bool>,
    /// Whether encoded training sentences are kept for the next run. Default `true`.
    pub cache: bool,
    /// The folder where they are kept. Default: `encoded` in `$HYPERLOADER_CACHE`, or else in `hyperloader` in the user's
    /// own cache folder (`$XDG_CACHE_HOME`, `~/.cache` or, on Windows, `%LOCALAPPDATA%`).
    pub cache_dir: Option<PathBuf>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            max_source_length: count(128),
            max_target_length: count(128),
            temperature: 10.0,
            fraction: 1.0,
            on_bad_line: OnBadLine::default(),
            length_buckets: None,
            cache: true,
            cache_dir: None,
        }
    }
}
