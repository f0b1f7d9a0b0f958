//! `[[tasks]]`: one corpus per table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datasets::encode::EncodeOptions;
use datasets::labels::TagWords;
use datasets::read::{Format, ReadOptions};
use serde::{Deserialize, Serialize};

use super::Config;
use crate::Result;
use crate::tasks::Corpus;

/// One sequence-labelling task: its name and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The task's name: letters, digits, `_` and `-`, because it becomes part of file names and weight names.
    pub name: String,
    /// The training data: a file, or a folder with `seq.in` and `seq.out`.
    pub train: PathBuf,
    /// The validation data. A task without validation data does not count when the best checkpoint is selected.
    pub validation: Option<PathBuf>,
    /// The test data.
    pub test: Option<PathBuf>,
    /// The format of all three: `"bio"`, `"seq"`, `"mtod"`, `"mtop"`, `"csv"`, `"parquet"` or `"jsonl"`. Default: found from
    /// the file.
    pub format: Option<Format>,
    /// The column of the tokens, for tables (CSV, Parquet, JSON Lines). Default: found by its usual names.
    pub tokens_column: Option<String>,
    /// The column of the tags, for tables. Default: found by its usual names.
    pub tags_column: Option<String>,
    /// Text before every source sentence. Default: none, as in the paper.
    pub prefix: Option<String>,
    /// The words that are generated for tag types whose own name is not generated: `{ "fromloc.city_name" = "origin" }`.
    #[serde(default)]
    pub tag_words: BTreeMap<String, String>,
}

impl TaskConfig {
    /// A task with training data only.
    pub fn new(name: impl Into<String>, train: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            train: train.into(),
            validation: None,
            test: None,
            format: None,
            tokens_column: None,
            tags_column: None,
            prefix: None,
            tag_words: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The corpus of `task`, one of the configuration's tasks.
    ///
    /// # Errors
    /// If two of its tags would be written with one word.
    pub fn corpus(&self, task: &TaskConfig) -> Result<Corpus> {
        Ok(Corpus {
            name: task.name.clone(),
            train: task.train.clone(),
            validation: task.validation.clone(),
            test: task.test.clone(),
            reading: ReadOptions {
                format: task.format,
                on_bad_line: self.data.on_bad_line,
                tokens_column: task.tokens_column.clone(),
                tags_column: task.tags_column.clone(),
            },
            encoding: EncodeOptions {
                max_source_length: self.data.max_source_length.get(),
                max_target_length: self.data.max_target_length.get(),
                prefix: task.prefix.clone().unwrap_or_default(),
            },
            words: TagWords::new(task.tag_words.clone())?,
            fraction: self.data.fraction,
            seed: self.seed,
        })
    }
}
