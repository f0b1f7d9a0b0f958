//! What decoding reads.

use peft_core::ActiveAdapters;

use crate::model::T5;
use crate::packed::Encoded;

/// What decoding reads: a model, encoded sentences, and what acts in the model.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The model.
    pub t5: &'a T5,
    /// The encoder's output.
    pub encoded: &'a Encoded,
    /// What acts in the model; what differs by row, for the sentences of `encoded`.
    pub active: &'a ActiveAdapters<'a>,
}
