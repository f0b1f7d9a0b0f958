//! A table as sentences.

use std::borrow::Cow;

use super::header::{Header, separator_line};
use super::rows::Rows;
use crate::error::{Error, Place, Result};
use crate::read::cell::Cell;
use crate::read::check::Reason;
use crate::read::collector::{Collector, Found};
use crate::read::columns::Columns;
use crate::read::lines::BOM;

/// Reads every row after the header as a sentence.
pub(in crate::read) fn read(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    let bytes = bytes.strip_prefix(BOM.as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Ok(());
    }
    let header = Header::of(bytes, collector.options())
        .ok_or_else(|| Error::file(path, "the first row, which names the columns, cannot be read"))?;
    let columns =
        Columns::find(&header.names, collector.options()).map_err(|missing| missing.into_error(path, &header.names))?;
    columns.check(&header.names).map_err(|reason| Error::file(path, reason))?;
    collector.decided.columns = Some(match header.separator {
        b',' => columns.described(),
        _ => format!("{}, cells separated by {}", columns.described(), header.separator_name()),
    });
    // Excel's line that names the separator is no row.
    let (_, before) = separator_line(bytes).unwrap_or_default();
    for (line, row) in Rows::after(bytes, before, header.separator).skip(1) {
        let found = row.and_then(|row| sentence(row, &columns, &header, collector.has_names()));
        collector.take(Place::Line(line), found);
    }
    Ok(())
}

fn sentence(row: Vec<Cow<'_, str>>, columns: &Columns, header: &Header, numbers: bool) -> Result<Found, Reason> {
    let expected = header.names.len();
    if row.len() != expected {
        let separator = header.separator_name();
        return Err(format!("{} cells separated by {separator} where the first row has {expected}", row.len()));
    }
    let cell = |index: usize| match row.get(index).map(AsRef::as_ref) {
        None | Some("") => Cell::Empty,
        Some(text) => Cell::Text(text.to_owned()),
    };
    columns.words(cell(columns.tokens), cell(columns.tags), numbers)
}
