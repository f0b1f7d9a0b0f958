//! Pretraining a backbone of one's own: the text, the tokenizer and the denoising objective.

mod denoising;
mod text;

pub use denoising::Denoising;
pub use text::{PretrainText, train_tokenizer};
