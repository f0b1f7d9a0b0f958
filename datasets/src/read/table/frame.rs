//! Sentences out of a data frame, and into one.

use polars::prelude::{Column, DataFrame, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, PlSmallStr};

use super::super::collector::{Collector, Found};
use super::super::{Example, ReadOptions};
use super::cells::Cells;
use super::columns::Columns;
use crate::error::Place;
use crate::{Error, Result};

/// Name of the column of tokens that is written.
const TOKENS: &str = "tokens";
/// Name of the column of tags that is written.
const TAGS: &str = "tags";

/// Takes every row as a sentence.
pub(in crate::read) fn from_frame(
    frame: &DataFrame,
    options: &ReadOptions,
    collector: &mut Collector<'_>,
) -> Result<()> {
    from_numbered(frame, options, collector, |row| Place::Row(row + 1))
}

/// The same, where `place` tells where the rows, counted from 0, stand in the file.
pub(super) fn from_numbered(
    frame: &DataFrame,
    options: &ReadOptions,
    collector: &mut Collector<'_>,
    place: impl Fn(usize) -> Place,
) -> Result<()> {
    let path = collector.path();
    let present: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).collect();
    let columns = Columns::find(&present, options).map_err(|missing| missing.into_error(path, &present))?;
    let column = |name: &str| frame.column(name).map_err(Error::table(path));
    let (tokens, tags) = (column(&columns.tokens)?, column(&columns.tags)?);
    let cells = |column| Cells::of(column).map_err(|reason| Error::file(path, reason));
    let (token_cells, tag_cells) = (cells(tokens)?, cells(tags)?);
    // The height is what the file says, the lengths are what is there: a damaged Parquet file may contradict itself.
    if [tokens.len(), tags.len()] != [frame.height(); 2] {
        let (tokens, tags, rows) = (tokens.len(), tags.len(), frame.height());
        return Err(Error::file(path, format!("damaged: {tokens} cells of tokens and {tags} of tags in {rows} rows")));
    }
    for row in 0..frame.height() {
        let words =
            |cells: &Cells<'_>, name: &str| cells.words(row).map_err(|reason| format!("column `{name}`: {reason}"));
        let found: Result<Found, _> =
            words(&token_cells, &columns.tokens).and_then(|tokens| Ok((tokens, words(&tag_cells, &columns.tags)?)));
        collector.take(place(row), found)?;
    }
    Ok(())
}

/// Sentences as a table of two columns of lists, `tokens` and `tags`.
pub(in crate::read) fn to_frame(examples: &[Example]) -> Result<DataFrame> {
    let tokens = lists(TOKENS, examples.iter().map(|example| &example.tokens));
    let tags = lists(TAGS, examples.iter().map(|example| &example.tags));
    DataFrame::new(examples.len(), vec![tokens, tags]).map_err(Error::table("<data frame>"))
}

fn lists<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a Vec<String>> + Clone) -> Column {
    let words = rows.clone().map(Vec::len).sum();
    let mut builder = ListStringChunkedBuilder::new(PlSmallStr::from(name), rows.len(), words);
    for row in rows {
        builder.append_values_iter(row.iter().map(String::as_str));
    }
    builder.finish().into_column()
}
