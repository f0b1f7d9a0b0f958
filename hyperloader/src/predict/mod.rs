//! Predicted tags in the forms that people and programs read.

mod html;
mod spans;
mod writer;

pub use spans::{TaggedSpan, tagged_spans};
pub use writer::{PredictionFormat, PredictionWriter};
