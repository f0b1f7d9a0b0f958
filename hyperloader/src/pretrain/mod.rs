//! Pretraining your own backbone: the text, the tokenizer and the denoising objective.

// What crosses between host and device in a step is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod denoising;
mod text;

pub use denoising::{Denoising, DenoisingOptions};
pub use text::{PretrainText, train_tokenizer};
