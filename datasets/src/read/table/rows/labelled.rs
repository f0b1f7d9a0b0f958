//! Writing rows with labels.

use std::io::Write;
use std::path::{Path, PathBuf};

use polars::error::{PolarsError, PolarsResult};
use polars_arrow::array::Array;
use polars_arrow::datatypes::ArrowSchema;
use polars_parquet::parquet::error::ParquetError;
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Compressor, DynIter, DynStreamingIterator, Encoding, FallibleStreamingIterator,
    FileWriter, ParquetType, StatisticsOptions, Version, WriteOptions, array_to_columns, to_parquet_leaves,
};

use super::super::quiet::quietly;
use super::added::{RowLabels, columns, fields};
use super::texts::{Rows, TextRows};
use crate::error::{Error, Result};

const OPTIONS: WriteOptions = WriteOptions {
    statistics: StatisticsOptions {
        min_value: false,
        max_value: false,
        distinct_count: false,
        null_count: false,
        binary_statistics_truncate_length: None,
    },
    version: Version::V1,
    compression: CompressionOptions::Zstd(None),
    data_page_size: None,
};

/// Writes rows of a [`TextRows`] with all their columns, and their labels in the columns [`ADDED`](super::ADDED).
pub struct LabelledRows<W: Write> {
    name: PathBuf,
    writer: FileWriter<W>,
}

impl<W: Write> LabelledRows<W> {
    /// A writer to `out`, which errors call `name`, for rows of `source`.
    ///
    /// # Errors
    /// If the file has a column that would be added, or a column of a type that cannot be written.
    pub fn new(out: W, name: impl AsRef<Path>, source: &TextRows) -> Result<Self> {
        source.check_free()?;
        let name = name.as_ref().to_path_buf();
        let begin = || {
            let added = fields()?;
            let schema: ArrowSchema = source.schema().iter_values().cloned().chain(added).collect();
            FileWriter::try_new(out, schema, OPTIONS)
        };
        let writer = begin().map_err(Error::table(&name))?;
        Ok(Self { name, writer })
    }

    /// Writes `rows` with `labels`, which are as many.
    ///
    /// # Errors
    /// If their numbers differ, or they cannot be written.
    pub fn write(&mut self, rows: Rows, labels: &[RowLabels]) -> Result<()> {
        let Rows { columns: mut arrays, .. } = rows;
        let count = arrays.first().map_or(0, |column| column.len());
        if count != labels.len() {
            let what = "rows and labels".to_owned();
            return Err(Error::LengthMismatch { what, left: count, right: labels.len() });
        }
        arrays.extend(columns(labels).map_err(Error::table(&self.name))?);
        let types = self.writer.parquet_schema().fields().to_vec();
        // Polars panics on types that it cannot write, some of them only while it writes.
        let write = || self.writer.write(count as u64, DynIter::new(encoded(arrays, types)?.into_iter().map(Ok)));
        let refused = || Error::file(&self.name, "a column of the input has a type that cannot be written");
        quietly(write).ok_or_else(refused)?.map_err(Error::table(&self.name))
    }

    /// Writes the description at the end.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.writer.end(None).map(|_| ()).map_err(Error::table(&self.name))
    }
}

type Pages = DynStreamingIterator<'static, CompressedPage, PolarsError>;

/// The pages of all columns.
fn encoded(arrays: Vec<Box<dyn Array>>, types: Vec<ParquetType>) -> PolarsResult<Vec<Pages>> {
    let mut all = Vec::new();
    for (array, kind) in arrays.into_iter().zip(types) {
        let encodings = vec![Encoding::Plain; to_parquet_leaves(kind.clone()).len()];
        for pages in array_to_columns(array, kind, OPTIONS, &encodings)? {
            let pages = pages.map(|page| page.map_err(|e| ParquetError::FeatureNotSupported(e.to_string())));
            let compressed = Compressor::new_from_vec(pages, OPTIONS.compression, Vec::new());
            all.push(DynStreamingIterator::new(compressed.map_err(PolarsError::from)));
        }
    }
    Ok(all)
}
