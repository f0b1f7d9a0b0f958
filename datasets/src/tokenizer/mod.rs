//! Text to token ids and back, with T5's conventions.
//!
//! A [`T5Tokenizer`] is loaded from `tokenizer.json` or `spiece.model`, or trained with [`train_unigram`]. A
//! [`WordEncoder`] turns words into ids with a cache.

mod charsmap;
mod cleanup;
mod conventions;
mod json;
mod keep;
mod load;
mod pieces;
mod spiece;
mod t5;
mod train;
mod words;

#[cfg(test)]
mod tests;

pub use cleanup::clean_up_tokenization_spaces;
pub use conventions::SENTINELS;
pub use t5::{DecodeOptions, Encoded, T5Tokenizer};
pub use train::{TrainOptions, train_unigram};
pub use words::WordEncoder;
