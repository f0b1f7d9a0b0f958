//! Sentences from a data frame, and as a data frame.

use polars::prelude::{Column, DataFrame, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, PlSmallStr};

use super::cells::Cells;
use crate::error::{Error, Place, Result};
use crate::read::collector::{Collector, Found};
use crate::read::columns::Columns;
use crate::read::dataset::Dataset;
use crate::read::options::ReadOptions;

/// The name of the column of tokens in a written table.
const TOKENS: &str = "tokens";
/// The name of the column of tags in a written table.
const TAGS: &str = "tags";

impl Dataset {
    /// The sentences as a polars table with two columns, `tokens` and `tags`, each a list of strings per row.
    ///
    /// # Errors
    /// [`Error::Table`] if polars fails, which is not expected.
    ///
    /// ```
    /// use datasets::read::{Dataset, Example, ReadOptions};
    /// let dataset = Dataset::from_examples(vec![Example::new(["to", "rome"], ["O", "B-city"])]);
    /// let table = dataset.to_dataframe()?;
    /// assert_eq!(table.height(), 1);
    /// let back = Dataset::from_dataframe(&table, &ReadOptions::default())?;
    /// assert_eq!(back.examples[0].tags, ["O", "B-city"]);
    /// # Ok::<(), datasets::Error>(())
    /// ```
    pub fn to_dataframe(&self) -> Result<DataFrame> {
        let tokens = lists(TOKENS, self.examples.iter().map(|example| &example.tokens));
        let tags = lists(TAGS, self.examples.iter().map(|example| &example.tags));
        DataFrame::new(self.examples.len(), vec![tokens, tags]).map_err(Error::table("<data frame>"))
    }

    /// The sentences of a polars table with a column of tokens and a column of tags. The columns are found as in a file
    /// ([`ReadOptions::tokens_column`], [`ReadOptions::tags_column`]).
    ///
    /// # Errors
    /// As [`read`](crate::read::read()), with `<data frame>` as the file.
    pub fn from_dataframe(frame: &DataFrame, options: &ReadOptions) -> Result<Self> {
        let mut collector = Collector::new("<data frame>".as_ref(), options.on_bad_line);
        from_frame(frame, options, &mut collector)?;
        collector.finish_unnamed()
    }
}

/// Reads every row as a sentence.
pub(super) fn from_frame(frame: &DataFrame, options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    let present: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).collect();
    let columns = Columns::find(&present, options).map_err(|missing| missing.into_error(path, &present))?;
    let column = |name: &str| frame.column(name).map_err(Error::table(path));
    let (tokens, tags) = (column(&columns.tokens)?, column(&columns.tags)?);
    let cells = |column| Cells::of(column).map_err(|reason| Error::file(path, reason));
    let (token_cells, tag_cells) = (cells(tokens)?, cells(tags)?);
    // A damaged Parquet file may declare another height than its columns have.
    if [tokens.len(), tags.len()] != [frame.height(); 2] {
        let (tokens, tags, rows) = (tokens.len(), tags.len(), frame.height());
        return Err(Error::file(path, format!("damaged: {tokens} cells of tokens and {tags} of tags in {rows} rows")));
    }
    for row in 0..frame.height() {
        let words =
            |cells: &Cells<'_>, name: &str| cells.words(row).map_err(|reason| format!("column `{name}`: {reason}"));
        let found: Result<Found, _> =
            words(&token_cells, &columns.tokens).and_then(|tokens| Ok((tokens, words(&tag_cells, &columns.tags)?)));
        collector.take(Place::Row(row + 1), found)?;
    }
    Ok(())
}

fn lists<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a Vec<String>> + Clone) -> Column {
    let words = rows.clone().map(Vec::len).sum();
    let mut builder = ListStringChunkedBuilder::new(PlSmallStr::from(name), rows.len(), words);
    for row in rows {
        builder.append_values_iter(row.iter().map(String::as_str));
    }
    builder.finish().into_column()
}
