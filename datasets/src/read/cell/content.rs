//! What a cell holds.

use crate::read::check::Reason;

/// The content of a cell, as far as it can be words.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::read) enum Cell {
    /// Nothing, or `null`.
    Empty,
    /// One text: a list in JSON or Python, or words separated by whitespace.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of whole numbers.
    Numbers(Vec<i64>),
    /// Anything else.
    Other(Reason),
}
