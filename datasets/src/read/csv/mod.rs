//! Tables as text: cells separated by commas, semicolons, tabs or bars, with the names of the columns in the first row.

mod header;
mod reader;
mod rows;
#[cfg(test)]
mod tests;

pub(super) use header::{is_header, separator_line};
pub(super) use reader::read;
