//! Scores of labelled sentences: precision, recall and F1 over spans, by task and by type.

mod score;

pub use score::{EvalReport, Prediction, TaskReport, evaluate};
