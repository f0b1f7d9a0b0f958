//! Data sets as CSV and Parquet files.

use std::io;
use std::path::Path;

use peft_files::write_atomic;
use polars::error::PolarsError;
use polars::prelude::{Column, CsvWriter, DataFrame, ParquetWriter, SerWriter};

use crate::error::{Error, Result};
use crate::example::Example;
use crate::read::dataset::Dataset;

/// Writes lists as JSON arrays, because CSV has no lists.
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

fn plain(error: PolarsError) -> io::Error {
    io::Error::other(error)
}
