//! The input of decoding.

use peft_core::{ActiveAdapters, Ctx};
use peft_kernels::Kernels;

use crate::model::T5;
use crate::packed::Encoded;

/// The input of decoding: a model, encoded sentences and the active methods.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Source<'a> {
    /// The model.
    pub t5: &'a T5,
    /// The encoder's output.
    pub encoded: &'a Encoded,
    /// The active methods. If they differ by row, the rows are the sentences of `encoded`.
    pub active: &'a ActiveAdapters<'a>,
    /// The kernels to compute with.
    pub kernels: Kernels,
}

impl<'a> Source<'a> {
    /// Decodes `encoded` with the kernels that are the default.
    pub fn new(t5: &'a T5, encoded: &'a Encoded, active: &'a ActiveAdapters<'a>) -> Self {
        Self { t5, encoded, active, kernels: Kernels::default() }
    }

    /// The same with other kernels.
    #[must_use]
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        Self { kernels, ..self }
    }

    /// The context of its forward passes.
    pub(super) fn ctx(&self) -> Ctx {
        Ctx::eval().with_kernels(self.kernels)
    }

    /// Whether it goes the way of a GPU.
    pub(super) fn goes_device_way(&self) -> bool {
        self.ctx().goes_device_way(self.t5.device())
    }
}
