//! The options of reading, as a caller or a configuration file gives them.

use serde::{Deserialize, Serialize};

use super::format::Format;

/// How to read a corpus. The default detects format and columns, and stops at the first bad line.
///
/// ```
/// use datasets::read::{Format, OnBadLine, ReadOptions};
/// let options: ReadOptions =
///     serde_json::from_str(r#"{"format": "jsonl", "on_bad_line": "skip", "tags_column": "ner"}"#)?;
/// assert_eq!(options.format, Some(Format::Jsonl));
/// assert_eq!(options.on_bad_line, OnBadLine::Skip);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The format. Default: detected by the file's extension, then by its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What to do with a bad line. Default `fail`.
    pub on_bad_line: OnBadLine,
    /// The column of tokens in a table. Default: `tokens`, `words` or `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_column: Option<String>,
    /// The column of tags in a table. Default: `tags`, `labels` or `ner_tags`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_column: Option<String>,
}

/// What to do with a line (a row of a table) that breaks the rules of its format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadLine {
    /// Stop with an error that names the line.
    #[default]
    Fail,
    /// Leave the sentence out and list it in [`Dataset::skipped`](super::Dataset::skipped).
    Skip,
}
