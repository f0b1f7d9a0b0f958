//! The lines of a file of columns.

use crate::error::Place;
use crate::read::check::Reason;
use crate::read::lines::numbered;

/// CoNLL's line before each document begins with this.
pub(in crate::read) const DOCUMENT_START: &str = "-DOCSTART-";

/// What a line is.
pub(super) enum Line<'a> {
    /// A blank line or the start of a document.
    Break,
    /// A line that begins with `#`: a comment, unless it has the columns of the other lines.
    Hash(Row<'a>),
    /// A line of columns.
    Token(Row<'a>),
    /// Not text.
    Bad(Place, Reason),
}

/// A line of columns.
pub(super) struct Row<'a> {
    pub(super) place: Place,
    pub(super) cells: Vec<&'a str>,
    /// Whether tabs separate the columns.
    pub(super) tabs: bool,
}

/// The lines of a file.
pub(super) fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
    numbered(bytes).map(|(place, line)| classify(place, line)).collect()
}

fn classify(place: Place, line: Result<&str, Reason>) -> Line<'_> {
    let row = |line| Row { place, cells: cells(line), tabs: line.contains('\t') };
    match line {
        Err(reason) => Line::Bad(place, reason),
        Ok(line) if line.trim().is_empty() || line.starts_with(DOCUMENT_START) => Line::Break,
        Ok(line) if line.starts_with('#') => Line::Hash(row(line)),
        Ok(line) => Line::Token(row(line)),
    }
}

/// The columns of a line, separated by tabs if the line has one and by blanks otherwise.
pub(in crate::read) fn cells(line: &str) -> Vec<&str> {
    if line.contains('\t') {
        line.split('\t').map(str::trim).collect()
    } else {
        line.split_ascii_whitespace().collect()
    }
}
