//! CSV, Parquet and JSON Lines, by polars.

use std::io;
use std::path::Path;

use peft_files::write_atomic;
use polars::error::PolarsError;
use polars::prelude::{Column, CsvWriter, DataFrame, JsonFormat, JsonWriter, ParquetWriter, SerWriter};

use super::super::{Dataset, Example};
use crate::{Error, Result};

/// Lists as JSON arrays, since CSV has no lists.
pub(super) fn csv(dataset: &Dataset, path: &Path) -> Result<()> {
    let column = |name: &str, words: fn(&Example) -> &Vec<String>| {
        let cells: Result<Vec<String>, _> =
            dataset.examples.iter().map(|example| serde_json::to_string(words(example))).collect();
        cells.map(|cells| Column::new(name.into(), cells)).map_err(|error| Error::file(path, error.to_string()))
    };
    let columns = vec![column("tokens", |e| &e.tokens)?, column("tags", |e| &e.tags)?];
    let mut frame = DataFrame::new(dataset.examples.len(), columns).map_err(Error::table(path))?;
    Ok(write_atomic(path, |file| CsvWriter::new(file).finish(&mut frame).map_err(plain))?)
}

pub(super) fn parquet(dataset: &Dataset, path: &Path) -> Result<()> {
    let mut frame = dataset.to_dataframe()?;
    Ok(write_atomic(path, |file| ParquetWriter::new(file).finish(&mut frame).map(|_| ()).map_err(plain))?)
}

pub(super) fn jsonl(dataset: &Dataset, path: &Path) -> Result<()> {
    let mut frame = dataset.to_dataframe()?;
    Ok(write_atomic(path, |file| {
        JsonWriter::new(file).with_json_format(JsonFormat::JsonLines).finish(&mut frame).map_err(plain)
    })?)
}

fn plain(error: PolarsError) -> io::Error {
    io::Error::other(error)
}
