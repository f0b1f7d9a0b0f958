//! Labelling: from text to one tag per word and to spans, with one task of a trained model.
//!
//! [`Labeller`] needs a model, a tokenizer, a [`LabelTask`] (its name and tags) and [`DecodeOptions`]. It takes raw text or
//! lists of words ([`Words`], [`Item`]) and returns a [`TaggedSentence`] for each, whose spans are [`Entity`]s. A sentence that
//! is too long for the model is cut into overlapping windows, and the tags of the windows are joined. [`Answer`] is what
//! programs get: a line of JSON.

// What crosses between host and device in a step is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod answer;
mod at_once;
#[cfg(all(test, target_arch = "x86_64"))]
mod batch_tests;
mod batches;
mod characters;
mod entity;
mod item;
mod join;
mod labeller;
mod model;
mod options;
mod sentence;
mod task;
mod task_t5;
mod windows;
mod words;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub(crate) use answer::present;
pub(crate) use at_once::{at_once, each_batch};
pub(crate) use characters::to_bytes;
pub use entity::{Entity, EntityGroup};
pub use item::Item;
pub use labeller::Labeller;
pub(crate) use labeller::tag_decoder;
pub use model::LabelSentences;
pub use options::{DecodeOptions, Decoding};
pub use sentence::{Alternative, TaggedSentence};
pub use task::LabelTask;
pub(crate) use task_t5::TaskT5;
pub use words::Words;
