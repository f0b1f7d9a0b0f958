//! Labelling sentences with a trained model, and scoring what comes out.

mod labeller;
mod score;

pub use labeller::{Labelled, Labeller, Written};
pub use score::{EvalReport, Prediction, TaskReport, evaluate};
