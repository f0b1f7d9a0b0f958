//! Columns: one token per line, a blank line after each sentence.

mod columns;
mod layout;
mod names;
mod reader;
mod rows;
#[cfg(test)]
mod tests;

pub(super) use reader::read;
pub(super) use rows::{DOCUMENT_START, cells};
