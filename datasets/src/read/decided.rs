//! What a reader decided about a file, so that a person can check it.

use std::fmt;

use serde::Serialize;

use super::text::TextFound;
use crate::labels::SchemeFound;

/// Columns, tag scheme and encoding of a file, as they were read.
///
/// Shown as one line: `columns: tokens 2, tags 1; tag scheme iob2; utf-8, line ends \n`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Which columns were read, and why if it is not plain; `None` for formats with fixed columns.
    pub columns: Option<String>,
    /// The tags as they were before the conversion to IOB2.
    pub tags: SchemeFound,
    /// The outside of the text; `None` for Parquet and for data frames.
    pub text: Option<TextFound>,
    /// Whether a person should be told: something was converted, skipped or guessed.
    pub notable: bool,
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(columns) = &self.columns {
            write!(f, "{columns}; ")?;
        }
        write!(f, "{}", self.tags)?;
        match &self.text {
            Some(text) => write!(f, "; {text}"),
            None => Ok(()),
        }
    }
}
