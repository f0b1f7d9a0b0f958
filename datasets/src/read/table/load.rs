//! CSV and Parquet files as data frames.

use std::io::Cursor;
use std::panic::catch_unwind;

use polars::prelude::{CsvReadOptions, ParquetReader, SerReader};

use super::frame::from_frame;
use crate::error::{Error, Result};
use crate::read::collector::Collector;
use crate::read::lines::numbered;
use crate::read::options::ReadOptions;

/// Reads a table with a header. Every cell is text.
pub(in crate::read) fn csv(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    // Polars does not name the bad line. A quoted cell may span several lines, so no line can be left out alone.
    if let Some((place, Err(reason))) = numbered(bytes).find(|(_, line)| line.is_err()) {
        return Err(Error::BadLine { path: path.to_owned(), place, reason });
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::file(path, "no sentences in it"));
    }
    let frame = CsvReadOptions::default()
        .with_infer_schema_length(Some(0))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(Error::table(path))?;
    from_frame(&frame, options, collector)
}

/// Reads a Parquet file with columns of text or of lists of text.
pub(in crate::read) fn parquet(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    // Polars 0.55 panics if a flipped bit changes a thrift type in the footer.
    let frame = catch_unwind(|| ParquetReader::new(Cursor::new(bytes)).finish())
        .map_err(|_| Error::file(path, "a damaged Parquet file: its metadata contradicts itself"))?
        .map_err(Error::table(path))?;
    from_frame(&frame, options, collector)
}
