//! Pretraining your own backbone: the text, the tokenizer and the denoising objective.

mod denoising;
mod text;

pub use denoising::{Denoising, DenoisingOptions};
pub use text::{PretrainText, train_tokenizer};
