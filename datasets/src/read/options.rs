//! What a caller, or a configuration file, says about a corpus.

use serde::{Deserialize, Serialize};

use super::Format;

/// How to read a corpus. The default finds everything by looking and stops at the first bad line.
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
    /// The format; found by the file's extension, then by its content, if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What to do with a bad line; default `fail`.
    pub on_bad_line: OnBadLine,
    /// The column of tokens in a table; `tokens`, `words` or `text` if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_column: Option<String>,
    /// The column of tags in a table; `tags`, `labels` or `ner_tags` if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_column: Option<String>,
}

/// What to do with a line (a row of a table) that is not what its format promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadLine {
    /// Stop with an error that names it.
    #[default]
    Fail,
    /// Leave its sentence out and list it in [`Dataset::skipped`](super::Dataset::skipped).
    Skip,
}
