//! Sentences from a data frame, and as a data frame.

use polars::prelude::{
    Column, CompatLevel, DataFrame, DataType, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, PlSmallStr,
};

use super::cells;
use crate::error::{Error, Place, Result};
use crate::read::cell::Cell;
use crate::read::collector::Collector;
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
        let mut collector = Collector::new("<data frame>".as_ref(), options);
        from_frame(frame, &mut collector)?;
        collector.finish_unnamed()
    }
}

/// Reads every row as a sentence.
fn from_frame(frame: &DataFrame, collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    let present: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).collect();
    let columns = Columns::find(&present, collector.options()).map_err(|missing| missing.into_error(path, &present))?;
    let cells = |name: &str| cells_of(frame.column(name).map_err(Error::table(path))?, collector);
    let (tokens, tags) = (cells(&columns.token_name)?, cells(&columns.tag_name)?);
    for (row, (tokens, tags)) in tokens.into_iter().zip(tags).enumerate() {
        collector.take(Place::Row(row + 1), columns.words(tokens, tags, collector.has_names()));
    }
    Ok(())
}

fn cells_of(column: &Column, collector: &Collector<'_>) -> Result<Vec<Cell>> {
    let path = collector.path();
    let refused = |reason: String| Error::file(path, format!("column `{}` {reason}", column.name()));
    let series = column.as_materialized_series();
    let series = match series.dtype() {
        DataType::Categorical(..) | DataType::Enum(..) => series.cast(&DataType::String).map_err(Error::table(path))?,
        _ => series.clone(),
    };
    let is_number = series.dtype().is_integer();
    let mut all = Vec::new();
    for chunk in 0..series.n_chunks() {
        let array = series.to_arrow(chunk, CompatLevel::newest());
        if is_number {
            return Err(refused(cells::expected(array.dtype())));
        }
        all.extend(cells::of(array.as_ref()).map_err(refused)?);
    }
    Ok(all)
}

fn lists<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a Vec<String>> + Clone) -> Column {
    let words = rows.clone().map(Vec::len).sum();
    let mut builder = ListStringChunkedBuilder::new(PlSmallStr::from(name), rows.len(), words);
    for row in rows {
        builder.append_values_iter(row.iter().map(String::as_str));
    }
    builder.finish().into_column()
}
