//! Self-supervised pairs from plain text, to pretrain a T5 that sequence labelling can build on.
//!
//! Two tasks, mixed by [`Pretraining`]: T5's span corruption ([`corrupt_spans`]) and sentinel
//! copying ([`copy_words`]), which teaches the decoder to attend from `<extra_id_i>` to word i.

mod copying;
mod mask;
mod options;
mod pretraining;
mod spans;

#[cfg(test)]
mod tests;

pub use copying::copy_words;
pub use mask::random_spans_mask;
pub use options::NoiseOptions;
pub use pretraining::Pretraining;
pub use spans::corrupt_spans;
