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
//! | [`Format::Csv`], [`Format::Parquet`], [`Format::Jsonl`], [`Format::Json`] | a row with a column of tokens and a column of tags |
//!
//! Parquet needs the crate's feature `tables`, which is on by default. Text may be compressed (gzip, Zstandard) and have
//! another encoding than UTF-8.
//!
//! In every format a sentence must have at least one token, one tag for each token, no blank token, and only tags of one
//! [scheme](crate::labels::TagScheme), which is recognized by all tags of the file and converted to IOB2: `O`, `B-TYPE`,
//! `I-TYPE`. [`Origin::decided`] says what was recognized.

mod bio;
mod cell;
mod check;
mod collector;
mod columns;
mod csv;
mod dataset;
mod decided;
mod detect;
mod file;
mod format;
mod json;
mod lines;
mod options;
mod plain;
mod seq;
mod slots;
#[cfg(feature = "tables")]
mod table;
mod tag_names;
mod text;
mod tsv;
mod write;

pub use dataset::{Dataset, Origin, Skipped};
pub use decided::Decided;
pub use file::{files_of, parse, read};
pub use format::Format;
pub use options::{OnBadLine, ReadOptions, column_or_number};
pub use plain::{must_be_whole, plain_text, plain_text_of};
#[cfg(feature = "tables")]
pub use table::rows;
pub use text::{LineEnds, TextEncoding, TextFound};
pub use write::{changed_by, write, write_as};

pub use crate::example::Example;
