//! Scores of labelled sentences: precision, recall and F1 over spans, for each task and each span type; and the predictions that
//! were scored, as files.

mod predictions;
mod score;

pub use predictions::{PredictedSpan, Prediction, read_predictions, stage_predictions, write_predictions};
pub use score::{EvalReport, TaskCounts, TaskReport, count, evaluate};
