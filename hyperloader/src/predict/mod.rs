//! Reads texts line by line or row by row, and writes predicted tags as BIO, JSON Lines, inline text, HTML, the objects of Hugging
//! Face, or more columns of a Parquet file. [`Answers`] does both.

mod answers;
mod html;
mod input;
mod lines;
mod table;
mod writer;

pub use answers::{AnswerOptions, Answers};
pub use input::{InputFormat, Request};
pub use lines::Lines;
pub use writer::{PredictionFormat, PredictionWriter};
