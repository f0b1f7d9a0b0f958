//! Reads sentences line by line, and writes predicted tags as BIO, JSON Lines, inline text or HTML.

mod html;
mod lines;
mod writer;

pub use lines::Lines;
pub use writer::{PredictionFormat, PredictionWriter};
