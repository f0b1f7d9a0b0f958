//! A table with a caption.

use serde::Serialize;

use super::Cell;

/// A table. The first cell of a row is its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(in crate::report) struct Table {
    /// What the table is, in one word: the first column of the CSV.
    pub(in crate::report) section: &'static str,
    /// Whom it is about: the second column of the CSV.
    pub(in crate::report) subject: String,
    pub(in crate::report) caption: String,
    pub(in crate::report) head: Vec<String>,
    pub(in crate::report) rows: Vec<Vec<Cell>>,
    /// Whether its order has a meaning of its own, so that it cannot be sorted.
    pub(in crate::report) fixed: bool,
}

impl Table {
    pub(in crate::report) fn new(
        section: &'static str,
        subject: impl Into<String>,
        caption: impl Into<String>,
    ) -> Self {
        Self { section, subject: subject.into(), caption: caption.into(), ..Self::default() }
    }

    pub(in crate::report) fn head<S: Into<String>>(self, head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), ..self }
    }

    pub(in crate::report) fn rows(self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        Self { rows: rows.into_iter().collect(), ..self }
    }

    pub(in crate::report) fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }
}
