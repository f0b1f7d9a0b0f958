//! Text in, and predicted tags out in the forms that people and programs read.

mod html;
mod lines;
mod spans;
mod writer;

pub use lines::Lines;
pub use spans::{TaggedSpan, tagged_spans};
pub use writer::{PredictionFormat, PredictionWriter};
