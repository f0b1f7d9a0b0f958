//! CSV and Parquet tables, and data frames, by polars: a row is a sentence, with a column of tokens and a column of tags.

mod cells;
mod frame;
mod load;

pub(super) use load::{csv, parquet};
