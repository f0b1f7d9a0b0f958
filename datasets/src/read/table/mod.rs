//! Parquet files and data frames: a row is a sentence, with a column of tokens and a column of tags.
//!
//! Only the two columns are read, by polars' Parquet reader, and only as arrays of Arrow. So the types of all other columns
//! do not matter. [`rows`] reads and writes all columns, also as arrays of Arrow.

mod cells;
mod class_names;
mod frame;
mod parquet;
mod quiet;
pub mod rows;

pub(super) use parquet::read as parquet;
