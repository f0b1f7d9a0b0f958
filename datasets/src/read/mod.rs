//! Readers and writers of tagged corpora.
//!
//! [`read()`] finds the [`Format`] of a file and gives a [`Dataset`] of [`Example`]s: tokens with one BIO tag each.
//! [`write()`] writes a data set in any of these formats. Bad input is an error with file, line and reason. With
//! [`OnBadLine::Skip`] the sentence is left out instead, counted and listed in [`Dataset::skipped`].
//!
//! | format | a sentence is |
//! |---|---|
//! | [`Format::Bio`] | lines of columns up to a blank line: `tag⇥word` (the MIT corpora) or `word … tag` (CoNLL) |
//! | [`Format::Seq`] | line k of `seq.in` and of `seq.out` in a folder (ATIS, SNIPS) |
//! | [`Format::Mtod`] | a line of 6 columns: character spans, utterance, token JSON |
//! | [`Format::Mtop`] | a line of 8 columns, the same with an id and a bracketed parse |
//! | [`Format::Csv`], [`Format::Parquet`], [`Format::Jsonl`] | a row with a column of tokens and a column of tags |
//!
//! CSV and Parquet need the crate's feature `tables`, which is on by default.
//!
//! In every format a sentence must have at least one token, one tag for each token, no blank token, and only the tags
//! `O`, `B-TYPE` and `I-TYPE`.

mod bio;
mod bio_layout;
mod cell;
mod check;
mod collector;
mod columns;
mod dataset;
mod detect;
mod file;
mod format;
mod json_lines;
mod lines;
mod options;
mod seq;
mod slots;
#[cfg(feature = "tables")]
mod table;
mod tsv;
mod write;

pub use dataset::{Dataset, Origin, Skipped};
pub use file::{files_of, parse, read};
pub use format::Format;
pub use options::{OnBadLine, ReadOptions};
pub use write::write;

pub use crate::example::Example;
