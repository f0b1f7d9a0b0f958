//! Data sets as Parquet files.

use std::io;
use std::path::Path;

use peft_files::write_atomic;
use polars::error::PolarsError;
use polars::prelude::ParquetWriter;

use crate::error::Result;
use crate::read::dataset::Dataset;

pub(super) fn parquet(dataset: &Dataset, path: &Path) -> Result<()> {
    let mut frame = dataset.to_dataframe()?;
    Ok(write_atomic(path, |file| ParquetWriter::new(file).finish(&mut frame).map(|_| ()).map_err(plain))?)
}

fn plain(error: PolarsError) -> io::Error {
    io::Error::other(error)
}
