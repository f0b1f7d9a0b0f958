//! Labelling: from sentences to one tag per word, with one task of a trained model.
//!
//! [`Labeller`] needs a model, a tokenizer, a [`LabelTask`] (its name and tags) and [`DecodeOptions`]. It takes raw text or
//! lists of words ([`Words`]) and returns a [`TaggedSentence`] for each. A sentence that is too long for the model is cut into
//! overlapping windows, and the tags of the windows are joined.

#[cfg(all(test, target_arch = "x86_64"))]
mod batch_tests;
mod batches;
mod labeller;
mod model;
mod options;
mod sentence;
mod spans;
mod task;
mod task_t5;
mod windows;
mod words;

#[cfg(test)]
mod tests;

pub use labeller::Labeller;
pub(crate) use labeller::tag_decoder;
pub use model::LabelSentences;
pub use options::{DecodeOptions, Decoding};
pub use sentence::{Alternative, TaggedSentence};
pub use spans::{TaggedSpan, tagged_spans};
pub use task::LabelTask;
pub(crate) use task_t5::TaskT5;
pub use words::Words;
