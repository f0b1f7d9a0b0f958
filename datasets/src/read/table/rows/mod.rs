//! Rows of a Parquet file, each with a text or a list of words in one column; and the same rows with labels in more columns.
//!
//! [`TextRows`] reads any range of rows, a few thousand at a time, with all columns of any type. [`LabelledRows`] writes them
//! with four more columns ([`RowLabels`]).

mod added;
mod labelled;
mod texts;

#[cfg(test)]
mod tests;

pub use added::{ADDED, RowLabels, RowSpan};
pub use labelled::LabelledRows;
pub use texts::{RowText, Rows, TextRows};
