//! The options of reading, as a caller or a configuration file gives them.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::format::Format;
use super::text::TextEncoding;
use crate::labels::TagScheme;

/// How to read a corpus. The default detects format, columns, tag scheme and encoding, and stops at the first bad line.
///
/// ```
/// use datasets::read::{Format, OnBadLine, ReadOptions};
/// let options: ReadOptions =
///     serde_json::from_str(r#"{"format": "jsonl", "on_bad_line": "skip", "tags_column": "ner", "tokens_column": 2}"#)?;
/// assert_eq!(options.format, Some(Format::Jsonl));
/// assert_eq!(options.on_bad_line, OnBadLine::Skip);
/// assert_eq!(options.tokens_column.as_deref(), Some("2"));
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
    /// The column of tokens: its name or its number, counted from 1. Default: `tokens`, `words` or `text` in a table, and
    /// found by the contents in columns.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "column_or_number")]
    pub tokens_column: Option<String>,
    /// The column of tags: its name or its number, counted from 1. Default: `tags`, `labels` or `ner_tags` in a table,
    /// and found by the contents in columns.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "column_or_number")]
    pub tags_column: Option<String>,
    /// The tag scheme. Default: recognized by all tags of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<TagScheme>,
    /// The names of tags that are written as numbers: the first is 0. Default: the names that a Parquet file of Hugging
    /// Face `datasets` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_names: Option<Vec<String>>,
    /// The encoding of text files. Default: what the byte order mark says, otherwise UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
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

/// Reads the name of a column or its number, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// The deserializer's, if the value is neither text nor a number above 0.
pub fn column_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(ColumnVisitor)
}

struct ColumnVisitor;

impl<'de> Visitor<'de> for ColumnVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column, or its number counted from 1")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Some(name.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match number {
            0 => Err(E::invalid_value(de::Unexpected::Unsigned(0), &self)),
            number => Ok(Some(number.to_string())),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}
