//! Text to token ids and back, as T5 does it.
//!
//! A [`T5Tokenizer`] is loaded (`tokenizer.json` or `spiece.model`) or trained
//! ([`train_unigram`]); a [`WordEncoder`] turns words into ids with a cache.

mod charsmap;
mod cleanup;
mod keep;
mod layout;
mod load;
mod protobuf;
mod spiece;
mod t5;
mod train;
mod words;

#[cfg(test)]
mod tests;

pub use cleanup::clean_up_tokenization_spaces;
pub use layout::SENTINELS;
pub use t5::{DecodeOptions, Encoded, T5Tokenizer};
pub use train::{TrainOptions, train_unigram};
pub use words::WordEncoder;
