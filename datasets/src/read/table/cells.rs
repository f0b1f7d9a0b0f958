//! The cells of one column as lists of words.

use polars::prelude::{Column, DataType, ListChunked, Series, StringChunked};

use crate::read::cell;
use crate::read::check::Reason;

/// A column whose cells are lists of words.
pub(super) enum Cells<'a> {
    /// One text per row: a JSON array of strings, or words separated by whitespace.
    Text(&'a StringChunked),
    /// One list of strings per row.
    List(&'a ListChunked),
}

impl<'a> Cells<'a> {
    /// The cells of a column, if its type is text or lists of text.
    pub(super) fn of(column: &'a Column) -> Result<Self, Reason> {
        let series = column.as_materialized_series();
        let seen = match series.dtype() {
            DataType::String => series.str().ok().map(Self::Text),
            DataType::List(inner) if matches!(**inner, DataType::String | DataType::Null) => {
                series.list().ok().map(Self::List)
            }
            _ => None,
        };
        seen.ok_or_else(|| {
            format!("column `{}` holds {}; expected text, or lists of text", column.name(), series.dtype())
        })
    }

    /// The words of a row.
    pub(super) fn words(&self, row: usize) -> Result<Vec<String>, Reason> {
        match self {
            Self::Text(texts) => texts.get(row).map(cell::words).ok_or_else(|| "an empty cell".to_owned()),
            Self::List(lists) => match lists.get_as_series(row) {
                Some(list) => strings(&list),
                None => Err("an empty cell".to_owned()),
            },
        }
    }
}

fn strings(list: &Series) -> Result<Vec<String>, Reason> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let texts = list.str().map_err(|error| error.to_string())?;
    texts
        .iter()
        .map(|text| text.map(str::to_owned).ok_or_else(|| "an item of the list is no text".to_owned()))
        .collect()
}
