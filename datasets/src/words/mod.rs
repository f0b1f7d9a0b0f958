//! Words of raw text: where they are, and how the model reads them.
//!
//! Sequence labelling gives each word a tag, so a raw text needs a rule that says what a word is. [`WordSplitter`] finds words
//! by white space, by Unicode's word boundaries, or by a regular expression; [`WordsConfig`] is its configuration.
//! [`sentences`] finds sentences.

mod config;
mod sentence;
mod splitter;
mod unicode;

#[cfg(test)]
mod tests;

pub use config::{Splitter, WordsConfig};
pub use sentence::sentences;
pub use splitter::WordSplitter;
