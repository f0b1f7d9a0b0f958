//! What every reader delivers.

use std::path::PathBuf;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::{Collector, Format, ReadOptions, table};
use crate::Result;
use crate::error::Place;

/// A corpus, or one split of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The sentences, in the order of the file.
    pub examples: Vec<Example>,
    /// What was left out because it was bad; empty unless skipping was asked for.
    pub skipped: Vec<Skipped>,
    /// Where it was read; none for a data set made in memory.
    pub origin: Option<Origin>,
}

/// A sentence: tokens and as many BIO tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// The tokens as written.
    pub tokens: Vec<String>,
    /// One of `O`, `B-TYPE`, `I-TYPE` for each token, as written.
    pub tags: Vec<String>,
    /// The line of the file (the row of a table) where it begins, counted from 1; none if made in memory.
    pub line: Option<usize>,
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
    /// File; a folder for [`Format::Seq`].
    pub path: PathBuf,
    /// Said in the options, or found by looking.
    pub format: Format,
}

impl Example {
    /// A sentence made in memory.
    pub fn new<T, G>(tokens: impl IntoIterator<Item = T>, tags: impl IntoIterator<Item = G>) -> Self
    where
        T: Into<String>,
        G: Into<String>,
    {
        Self {
            tokens: tokens.into_iter().map(Into::into).collect(),
            tags: tags.into_iter().map(Into::into).collect(),
            line: None,
        }
    }
}

impl Dataset {
    /// A data set made in memory.
    #[must_use]
    pub fn from_examples(examples: Vec<Example>) -> Self {
        Self { examples, ..Self::default() }
    }

    /// The sentences as a polars table of two columns, `tokens` and `tags`, each a list of strings per row.
    ///
    /// # Errors
    /// [`Error::Table`](crate::Error::Table) if polars refuses (it has no reason to).
    ///
    /// ```
    /// use datasets::read::{Dataset, Example, ReadOptions};
    /// let dataset = Dataset::from_examples(vec![Example::new(["to", "rome"], ["O", "B-city"])]);
    /// let table = dataset.to_dataframe()?;
    /// assert_eq!(table.height(), 1);
    /// let back = Dataset::from_dataframe(&table, &ReadOptions::default())?;
    /// assert_eq!(back.examples[0].tags, ["O", "B-city"]);
    /// # Ok::<(), datasets::Error>(())
    /// ```
    pub fn to_dataframe(&self) -> Result<DataFrame> {
        table::to_frame(&self.examples)
    }

    /// The sentences of a polars table with a column of tokens and one of tags, found as in a file
    /// ([`ReadOptions::tokens_column`], [`ReadOptions::tags_column`]).
    ///
    /// # Errors
    /// Those of [`read`](super::read()), with `<data frame>` for the file.
    pub fn from_dataframe(frame: &DataFrame, options: &ReadOptions) -> Result<Self> {
        let mut collector = Collector::new("<data frame>".as_ref(), options.on_bad_line);
        table::from_frame(frame, options, &mut collector)?;
        collector.finish_unnamed()
    }
}
