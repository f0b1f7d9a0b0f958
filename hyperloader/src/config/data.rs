//! `[data]`: settings for the data of all tasks.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datasets::read::OnBadLine;
use datasets::words::WordsConfig;
use peft_core::nonzero;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::optional;
use crate::tasks::cache_folder;

/// How sentences become training examples, and how tasks are mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The most tokens of a source, `</s>` included. Longer sources are cut, and counted. Default 128.
    #[default(nonzero(128))]
    pub max_source_length: NonZeroUsize,
    /// The most tokens of a target, `</s>` included. Default 128.
    #[default(nonzero(128))]
    pub max_target_length: NonZeroUsize,
    /// The temperature `T` of the task mixing: a task of `n` sentences is drawn with probability `p ∝ n^(1/T)`. 1 is
    /// proportional to size, infinity (`inf`) is uniform. Default 10.
    #[default(10.0)]
    pub temperature: f64,
    /// The share of the training and validation sentences that is used, in `(0, 1]`. All test sentences are used. Default 1.
    #[default(1.0)]
    pub fraction: f64,
    /// What happens at a line that cannot be read: `"fail"` stops with an error, `"skip"` skips the sentence and counts it.
    /// Default `"fail"`.
    pub on_bad_line: OnBadLine,
    /// Whether the sentences of a training step are sorted by length before they are cut into micro-batches, which reduces
    /// padding. A step still trains on the same sentences; with one micro-batch per step nothing changes. Cannot be `true` with
    /// `train.loss_reduction = "mean"`, because it would change the weight of a sentence. Default: `true` with `"sum"`,
    /// `false` with `"mean"`.
    pub length_buckets: Option<bool>,
    /// Whether encoded training sentences are kept for the next run. Default `true`.
    #[default(true)]
    pub cache: bool,
    /// The folder where they are kept. Default: `encoded` in `$HYPERLOADER_CACHE` if that is set, otherwise in `hyperloader` in
    /// the user's cache folder (on Linux `$XDG_CACHE_HOME` or `~/.cache`).
    #[serde(deserialize_with = "optional::path")]
    pub cache_dir: Option<PathBuf>,
    /// How raw text becomes words when it is labelled. The sentences of data files have words already, and are trained on as they
    /// are.
    pub words: WordsConfig,
}

impl DataConfig {
    /// The folder where encoded sentences are kept; `None` if they are not, or if the user has no cache folder.
    pub fn encoded_folder(&self) -> Option<PathBuf> {
        let folder = || self.cache_dir.clone().or_else(|| cache_folder("encoded"));
        self.cache.then(folder).flatten()
    }
}
