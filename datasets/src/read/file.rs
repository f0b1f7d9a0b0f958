//! Reading a corpus of any format.

use std::fs;
use std::path::{Path, PathBuf};

use peft_files::{check_contents, check_pointer};

use super::collector::Collector;
use super::dataset::Dataset;
use super::format::Format;
use super::options::ReadOptions;
#[cfg(feature = "tables")]
use super::table;
use super::text::{decode, unpack};
use super::{bio, csv, detect, json, seq, tsv};
use crate::error::{Error, Result};

/// Reads a corpus: a file, or the folder of `seq.in` and `seq.out`.
///
/// # Errors
/// The file cannot be read ([`Error::Io`]); its format is unknown or it has no sentence ([`Error::BadFile`]); a line or
/// row is bad and [`ReadOptions::on_bad_line`] is `Fail` ([`Error::BadLine`]); a column is missing
/// ([`Error::UnknownColumn`]); a table needs the feature `tables` ([`Error::WithoutTables`]). Faults of a whole file are
/// never skipped: a damaged Parquet or compressed file, a text of another encoding, or `seq.in` and `seq.out` of different
/// lengths.
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
    parse_as(&bytes, path, options.format, options)
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
        Some(folder) => [seq::TOKENS_FILE, seq::TAGS_FILE].map(|name| seq::file_in(&folder, name)).to_vec(),
        None => vec![path.to_owned()],
    }
}

/// Reads a corpus from memory. Errors name it by `path`, which is not opened.
///
/// # Errors
/// As [`read`]; [`Error::BadFile`] for [`Format::Seq`], which is two files.
pub fn parse(bytes: &[u8], path: &Path, format: Format, options: &ReadOptions) -> Result<Dataset> {
    parse_as(bytes, path, Some(format), options)
}

/// Reads a corpus from memory in a format that is given or else found.
fn parse_as(bytes: &[u8], path: &Path, format: Option<Format>, options: &ReadOptions) -> Result<Dataset> {
    check_pointer(path, bytes)?;
    let (bytes, compression) = unpack(bytes, path)?;
    let mut collector = Collector::new(path, options);
    let is_text = match format {
        Some(format) => format != Format::Parquet,
        None => !bytes.starts_with(detect::PARQUET),
    };
    let bytes = match is_text {
        true => {
            let (text, found) = decode(bytes, path, options.encoding, compression)?;
            check_contents(path, &text)?;
            collector.decided.notable |= found.is_notable();
            collector.decided.text = Some(found);
            text
        }
        false => bytes,
    };
    let format = match format {
        Some(format) => format,
        None => {
            let found = detect::format_of(path, &bytes, options)?;
            collector.decided.notable |= detect::contradicts(path, found);
            found
        }
    };
    match format {
        Format::Bio => bio::read(&bytes, &mut collector)?,
        Format::Mtod => tsv::read(&bytes, tsv::MTOD, &mut collector)?,
        Format::Mtop => tsv::read(&bytes, tsv::MTOP, &mut collector)?,
        Format::Csv => csv::read(&bytes, &mut collector)?,
        Format::Jsonl => json::read_lines(&bytes, &mut collector)?,
        Format::Json => json::read_array(&bytes, &mut collector)?,
        #[cfg(feature = "tables")]
        Format::Parquet => table::parquet(&bytes, &mut collector)?,
        #[cfg(not(feature = "tables"))]
        Format::Parquet => return Err(Error::without_tables(path, format.name())),
        Format::Seq => {
            return Err(Error::file(path, "`seq` is a folder of `seq.in` and `seq.out`, not one file"));
        }
    }
    collector.finish(format)
}
