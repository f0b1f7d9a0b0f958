//! `[[tasks]]`: one corpus per table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datasets::read::Format;
use serde::{Deserialize, Serialize};

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
