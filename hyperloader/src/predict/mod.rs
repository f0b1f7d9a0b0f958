//! Reads texts line by line, and writes predicted tags as BIO, JSON Lines, inline text, HTML or the objects of Hugging Face.

mod html;
mod input;
mod lines;
mod writer;

pub use input::{InputFormat, Request};
pub use lines::Lines;
pub use writer::{PredictionFormat, PredictionWriter};
