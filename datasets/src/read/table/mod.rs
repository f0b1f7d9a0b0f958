//! Tables, by polars: a row is a sentence, one column holds its tokens and another its tags.

mod cells;
mod columns;
mod frame;
mod load;

pub(super) use columns::Columns;
pub(super) use frame::{from_frame, to_frame};
pub(super) use load::{csv, jsonl, parquet};
