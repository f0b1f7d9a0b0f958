//! Training: one engine for every objective.
//!
//! [`Engine`] turns an [`Objective`] (multi-task labelling, or denoising for pretraining) into optimizer steps, checkpoints
//! and log lines. Everything that a step needs beside the weights is a function of the seed and the step's number, or is
//! saved with the checkpoint, so that a resumed run ends in the same bytes.

mod check;
mod checkpoint;
mod engine;
mod feed;
mod interrupt;
mod labelling;
mod objective;
mod settings;

pub use check::check_gradients;
pub use checkpoint::{Best, State};
pub use engine::{Engine, Outcome};
pub use interrupt::Interrupt;
pub use labelling::{Labelling, LabellingOptions, TaskData};
pub use objective::{MicroBatch, Objective, Score};
pub use settings::Settings;
