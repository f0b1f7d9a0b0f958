//! Scores of labelled sentences: precision, recall and F1 over spans, for each task and each span type.

mod score;

pub use score::{EvalReport, Prediction, TaskReport, evaluate};
