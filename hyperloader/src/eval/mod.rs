//! Labelling sentences with a trained model, and scoring what comes out.
//!
//! - `labeller`: one task of a model, ready to label; `labelled`: what comes out.
//! - `batches`: what is labelled together.
//! - `windows`: sentences that are too long for the model.
//! - `score`: span scores.

mod batches;
mod labelled;
mod labeller;
mod score;
mod windows;

pub use labelled::{Alternative, Labelled};
pub use labeller::Labeller;
pub use score::{EvalReport, Prediction, TaskReport, evaluate};
