//! What every reader returns.

use std::path::PathBuf;

use serde::Serialize;

use super::decided::Decided;
use super::format::Format;
use crate::error::Place;
use crate::example::Example;

/// A corpus, or one split of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The sentences, in the order of the file.
    pub examples: Vec<Example>,
    /// The bad sentences that were left out. Empty unless skipping was requested.
    pub skipped: Vec<Skipped>,
    /// Where the data set was read from; `None` if it was made in memory.
    pub origin: Option<Origin>,
}

/// A sentence that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The bad line or row.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

/// The file that a data set was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file, or the folder for [`Format::Seq`].
    pub path: PathBuf,
    /// The format from the options, or the format that was detected.
    pub format: Format,
    /// Columns, tag scheme and encoding as they were read.
    pub decided: Decided,
}

impl Dataset {
    /// A data set made in memory.
    #[must_use]
    pub fn from_examples(examples: Vec<Example>) -> Self {
        Self { examples, ..Self::default() }
    }
}
