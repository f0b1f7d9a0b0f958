//! Corpora in the forms that people have them, read into one.
//!
//! [`read`] finds the [`Format`] by looking and gives a [`Dataset`] of [`Example`]s, tokens with one BIO tag each;
//! [`write`](write()) is the way back. Bad input is an error with file, line and reason; with
//! [`OnBadLine::Skip`] the sentence is left out, counted and listed in [`Dataset::skipped`].
//!
//! | format | a sentence is |
//! |---|---|
//! | [`Format::Bio`] | lines of columns up to a blank line: `tag⇥word` (the MIT corpora) or `word … tag` (CoNLL) |
//! | [`Format::Seq`] | line k of `seq.in` and of `seq.out` in a folder (ATIS, SNIPS) |
//! | [`Format::Mtod`] | a line of 6 columns: character spans, utterance, token JSON |
//! | [`Format::Mtop`] | a line of 8 columns, the same with an id and a bracketed parse |
//! | [`Format::Csv`], [`Format::Parquet`], [`Format::Jsonl`] | a row with a column of tokens and one of tags |
//!
//! What every sentence must be, whatever its format: not empty, as many tags as tokens, no blank token, tags
//! `O`, `B-TYPE` or `I-TYPE`.

mod bio;
mod check;
mod collector;
mod dataset;
mod detect;
mod format;
mod layout;
mod lines;
mod options;
mod seq;
mod slots;
mod table;
mod tsv;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

pub use dataset::{Dataset, Example, Origin, Skipped};
pub use format::Format;
pub use options::{OnBadLine, ReadOptions};
pub use write::write;

use crate::{Error, Result};
use collector::Collector;

/// Reads a corpus: a file, or the folder of `seq.in` and `seq.out`.
///
/// # Errors
/// The file cannot be read ([`Error::Io`]); its format cannot be found, or there is no sentence in it
/// ([`Error::BadFile`]); a line or row is bad and [`ReadOptions::on_bad_line`] says to fail
/// ([`Error::BadLine`]); a column is missing ([`Error::UnknownColumn`]). What is wrong with a file as a whole (a
/// table polars cannot parse, `seq.in` and `seq.out` of different lengths) cannot be skipped.
///
/// ```
/// use datasets::read::{ReadOptions, read};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("train.bio");
/// # std::fs::write(&path, "O\tfly\nO\tto\nB-city\tlos\nI-city\tangeles\n")?;
/// let train = read(&path, &ReadOptions::default())?;
/// assert_eq!(train.examples[0].tokens, ["fly", "to", "los", "angeles"]);
/// assert_eq!(train.examples[0].tags, ["O", "O", "B-city", "I-city"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Dataset> {
    let path = path.as_ref();
    if let Some(folder) = seq::folder_of(path, options.format) {
        return seq::read(&folder, options);
    }
    if path.is_dir() {
        return Err(Error::file(path, "a folder without `seq.in`: give a file, or a folder of `seq.in` and `seq.out`"));
    }
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let format = match options.format {
        Some(format) => format,
        None => detect::format_of(path, &bytes)?,
    };
    parse(&bytes, path, format, options)
}

/// The files that [`read`] opens for `path`.
///
/// ```
/// use datasets::read::{Format, ReadOptions, files_of};
/// let options = ReadOptions { format: Some(Format::Seq), ..ReadOptions::default() };
/// assert_eq!(files_of("atis", &options), ["atis/seq.in", "atis/seq.out"].map(std::path::PathBuf::from));
/// assert_eq!(files_of("atis.bio", &ReadOptions::default()), ["atis.bio"].map(std::path::PathBuf::from));
/// ```
pub fn files_of(path: impl AsRef<Path>, options: &ReadOptions) -> Vec<PathBuf> {
    let path = path.as_ref();
    match seq::folder_of(path, options.format) {
        Some(folder) => [seq::TOKENS_FILE, seq::TAGS_FILE].map(|name| folder.join(name)).to_vec(),
        None => vec![path.to_owned()],
    }
}

/// Reads a corpus that is already in memory; `path` only names it in errors.
///
/// # Errors
/// Those of [`read`]; [`Error::BadFile`] for [`Format::Seq`], which is two files.
pub fn parse(bytes: &[u8], path: &Path, format: Format, options: &ReadOptions) -> Result<Dataset> {
    let mut collector = Collector::new(path, options.on_bad_line);
    match format {
        Format::Bio => bio::read(bytes, &mut collector)?,
        Format::Mtod => tsv::read(bytes, &tsv::MTOD, &mut collector)?,
        Format::Mtop => tsv::read(bytes, &tsv::MTOP, &mut collector)?,
        Format::Csv => table::csv(bytes, options, &mut collector)?,
        Format::Parquet => table::parquet(bytes, options, &mut collector)?,
        Format::Jsonl => table::jsonl(bytes, options, &mut collector)?,
        Format::Seq => {
            return Err(Error::file(path, "`seq` is a folder of `seq.in` and `seq.out`, not one file"));
        }
    }
    collector.finish(format)
}
