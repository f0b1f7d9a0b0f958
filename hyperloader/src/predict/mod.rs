//! Reading sentences and writing predicted tags in formats for people and programs.

mod html;
mod lines;
mod writer;

pub use lines::Lines;
pub use writer::{PredictionFormat, PredictionWriter};
