//! Self-supervised pairs from plain text, to pretrain a T5 for sequence labelling.
//!
//! [`Pretraining`] mixes two tasks: T5's span corruption ([`corrupt_spans`]), and sentinel copying ([`copy_words`]), which
//! teaches the decoder to attend from `<extra_id_i>` to word i.

mod copying;
mod mask;
mod options;
mod pretraining;
mod spans;

#[cfg(test)]
mod tests;

pub use copying::{CopyOptions, copy_words};
pub use mask::random_spans_mask;
pub use options::NoiseOptions;
pub use pretraining::Pretraining;
pub use spans::corrupt_spans;
