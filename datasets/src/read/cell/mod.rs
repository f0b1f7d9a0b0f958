//! A cell of a table, or a value of a JSON object, as words.

mod content;
mod json;
mod python;
#[cfg(test)]
mod tests;
mod words;

pub(super) use content::Cell;
