//! `[[tasks]]`: one corpus per table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datasets::labels::TagScheme;
use datasets::read::{Format, TextEncoding, column_or_number};
use serde::{Deserialize, Serialize};

use super::optional;

/// One sequence-labelling task: its name and its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The task's name: letters, digits, `_` and `-`, because it becomes part of file names and weight names.
    pub name: String,
    /// The training data: a file, or a folder with `seq.in` and `seq.out`.
    pub train: PathBuf,
    /// The validation data. A task without validation data does not count when the best checkpoint is selected.
    #[serde(default, deserialize_with = "optional::path")]
    pub validation: Option<PathBuf>,
    /// The test data.
    #[serde(default, deserialize_with = "optional::path")]
    pub test: Option<PathBuf>,
    /// The format of all three: `"bio"`, `"seq"`, `"mtod"`, `"mtop"`, `"csv"`, `"parquet"`, `"jsonl"` or `"json"`. Default:
    /// found from the file.
    pub format: Option<Format>,
    /// The column of the tokens: its name, or its number counted from 1. Default: found by its usual names in tables, and by
    /// the contents in columns.
    #[serde(default, deserialize_with = "column_or_number")]
    pub tokens_column: Option<String>,
    /// The column of the tags, by name or number. Default: found in the same way.
    #[serde(default, deserialize_with = "column_or_number")]
    pub tags_column: Option<String>,
    /// The tag scheme of all three files: `"iob2"`, `"iob1"`, `"bioes"`, `"bilou"`, `"bmewo"`, `"bmes"`, `"io"` or `"bare"`.
    /// Default: recognized in each file by all of its tags.
    pub scheme: Option<TagScheme>,
    /// The names of tags that are written as numbers; the first is for 0. Default: those that a Parquet file of Hugging Face
    /// `datasets` holds.
    pub tag_names: Option<Vec<String>>,
    /// The encoding of text files, such as `"windows-1252"`. Default: what the byte order mark says, otherwise UTF-8.
    pub encoding: Option<TextEncoding>,
    /// Text before every source sentence. Default: none, as in the paper.
    pub prefix: Option<String>,
    /// New names of tag types, which may be one name for many: `{ "weather/*" = "weather" }`; one `*` matches any text. Everything
    /// else, scores and `tag_words` too, sees the new types. Default: none.
    #[serde(default)]
    pub tag_map: BTreeMap<String, String>,
    /// The words that are generated for tag types whose own name is not generated: `{ "fromloc.city_name" = "origin" }`.
    #[serde(default)]
    pub tag_words: BTreeMap<String, String>,
}

impl TaskConfig {
    /// A task with training data only.
    pub fn new(name: impl Into<String>, train: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), train: train.into(), ..Self::default() }
    }
}
