//! Pairs as a Parquet file, so that a corpus is encoded only once.
//!
//! The file has one row per sentence: `source` and `target`, lists of u32, and whether each was truncated. It is read into
//! the two buffers of [`Pairs`] and not mapped: thirty thousand sentences are only 5 MB, and mapping would need polars'
//! `ipc` with its compression libraries.

use std::io::Cursor;
use std::panic::catch_unwind;

use polars::error::PolarsResult;
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, ListBuilderTrait, ListPrimitiveChunkedBuilder, ParquetCompression,
    ParquetReader, ParquetWriter, SerReader, UInt32Type,
};

use super::pairs::{Pairs, Side};
use crate::error::{Error, Result};

/// The columns of the sources: ids, and whether they were cut off.
const SOURCE: [&str; 2] = ["source", "source_truncated"];
/// The same for the targets.
const TARGET: [&str; 2] = ["target", "target_truncated"];

impl Pairs {
    /// The bytes of a Parquet file. The same pairs always give the same bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if polars fails, which is not expected.
    pub fn to_parquet(&self) -> Result<Vec<u8>> {
        self.write().map_err(|e| Error::Invalid(format!("encoded sentences as Parquet: {e}")))
    }

    fn write(&self) -> PolarsResult<Vec<u8>> {
        let columns = [self.source.columns(SOURCE), self.target.columns(TARGET)].concat();
        let mut frame = DataFrame::new(self.len(), columns)?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Uncompressed).finish(&mut frame)?;
        Ok(bytes)
    }

    /// The pairs in the bytes of [`to_parquet`](Self::to_parquet).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bytes are something else.
    pub fn from_parquet(bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: String| Error::Invalid(format!("not a file of encoded sentences: {reason}"));
        // Polars 0.55 panics on some damaged files.
        let read = catch_unwind(|| ParquetReader::new(Cursor::new(bytes)).finish());
        let frame = read.map_err(|_| refuse("damaged Parquet".to_owned()))?.map_err(|e| refuse(e.to_string()))?;
        let side = |columns| Side::read(&frame, columns).map_err(|e| refuse(e.to_string()));
        let pairs = Self { source: side(SOURCE)?, target: side(TARGET)? };
        let whole = [&pairs.source, &pairs.target].iter().all(|side| side.is_whole(frame.height()));
        if whole { Ok(pairs) } else { Err(refuse("its columns contradict each other".to_owned())) }
    }
}

impl Side {
    fn columns(&self, [ids, truncated]: [&str; 2]) -> Vec<Column> {
        let mut lists = ListPrimitiveChunkedBuilder::<UInt32Type>::new(
            ids.into(),
            self.ends.len(),
            self.ids.len(),
            DataType::UInt32,
        );
        let mut start = 0;
        for &end in &self.ends {
            lists.append_slice(self.ids.get(start..end).unwrap_or_default());
            start = end;
        }
        vec![lists.finish().into_column(), Column::new(truncated.into(), &self.truncated)]
    }

    fn read(frame: &DataFrame, [ids, truncated]: [&str; 2]) -> PolarsResult<Self> {
        let lists = frame.column(ids)?.as_materialized_series().list()?.rechunk().into_owned();
        let mut side = Self::default();
        let mut end = 0;
        for chunk in lists.downcast_iter() {
            side.ends.extend(chunk.offsets().lengths().map(|length| {
                end += length;
                end
            }));
        }
        let values = lists.get_inner();
        for chunk in values.u32()?.downcast_iter() {
            side.ids.extend_from_slice(chunk.values().as_slice());
        }
        side.truncated = frame.column(truncated)?.bool()?.iter().flatten().collect();
        Ok(side)
    }

    fn is_whole(&self, rows: usize) -> bool {
        let end = self.ends.last().copied().unwrap_or_default();
        self.ends.len() == rows && self.truncated.len() == rows && end == self.ids.len()
    }
}
