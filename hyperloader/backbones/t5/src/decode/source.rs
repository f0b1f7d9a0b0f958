//! The input of decoding.

use peft_core::ActiveAdapters;

use crate::model::T5;
use crate::packed::Encoded;

/// The input of decoding: a model, encoded sentences and the active methods.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The model.
    pub t5: &'a T5,
    /// The encoder's output.
    pub encoded: &'a Encoded,
    /// The active methods. If they differ by row, the rows are the sentences of `encoded`.
    pub active: &'a ActiveAdapters<'a>,
}
