//! CSV, Parquet and JSON Lines into data frames.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::catch_unwind;

use polars::prelude::{
    CsvReadOptions, DataFrame, DataType, Field, JsonFormat, JsonReader, ParquetReader, PlSmallStr, Schema, SerReader,
};
use serde_json::Value;

use super::super::ReadOptions;
use super::super::collector::Collector;
use super::super::lines::numbered;
use super::columns::Columns;
use super::frame::{from_frame, from_numbered};
use crate::error::Place;
use crate::{Error, Result};

/// A table with a header; every cell is taken as text.
pub(in crate::read) fn csv(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    // Polars names no line; a quoted cell may span several, so that none can be left out.
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

/// A Parquet file; columns of text or of lists of text.
pub(in crate::read) fn parquet(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    // Polars 0.55 panics where a flipped bit turns one thrift type of the footer into another.
    let frame = catch_unwind(|| ParquetReader::new(Cursor::new(bytes)).finish())
        .map_err(|_| Error::file(path, "a damaged Parquet file: its metadata contradicts itself"))?
        .map_err(Error::table(path))?;
    from_frame(&frame, options, collector)
}

/// One JSON object a line; blank lines are passed over.
pub(in crate::read) fn jsonl(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    let objects = Objects::check(bytes, collector)?;
    if objects.places.is_empty() {
        return Ok(());
    }
    let present: Vec<&str> = objects.kinds.keys().map(String::as_str).collect();
    let columns = Columns::find(&present, options).map_err(|missing| missing.into_error(path, &present))?;
    let frame = objects.frame(&columns).map_err(Error::table(path))?;
    from_numbered(&frame, options, collector, |row| objects.places.get(row).copied().unwrap_or(Place::Row(row + 1)))
}

/// The good lines of a JSON Lines file. Polars names no line, so each is looked at before.
#[derive(Default)]
struct Objects<'a> {
    lines: Vec<&'a str>,
    places: Vec<Place>,
    /// Every key, with the type its first value has.
    kinds: BTreeMap<String, DataType>,
}

impl<'a> Objects<'a> {
    fn check(bytes: &'a [u8], collector: &mut Collector<'_>) -> Result<Self> {
        let mut objects = Self::default();
        for (place, line) in numbered(bytes) {
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            let object = line.and_then(|line| {
                serde_json::from_str::<BTreeMap<String, Value>>(line)
                    .map(|object| (line, object))
                    .map_err(|error| format!("not a JSON object: {error}"))
            });
            match object {
                Ok((line, object)) => objects.add(place, line, object),
                Err(reason) => collector.take(place, Err(reason))?,
            }
        }
        Ok(objects)
    }

    fn add(&mut self, place: Place, line: &'a str, object: BTreeMap<String, Value>) {
        self.places.push(place);
        self.lines.push(line);
        for (key, value) in object {
            self.kinds.entry(key).or_insert_with(|| match value {
                Value::Array(_) => DataType::List(Box::new(DataType::String)),
                _ => DataType::String,
            });
        }
    }

    fn frame(&self, columns: &Columns) -> polars::error::PolarsResult<DataFrame> {
        let field = |name: &String| {
            let kind = self.kinds.get(name).cloned().unwrap_or(DataType::String);
            Field::new(PlSmallStr::from(name.as_str()), kind)
        };
        let schema = Schema::from_iter([field(&columns.tokens), field(&columns.tags)]);
        JsonReader::new(Cursor::new(self.lines.join("\n").into_bytes()))
            .with_json_format(JsonFormat::JsonLines)
            .with_schema(schema.into())
            .finish()
    }
}
