//! The tokens of a step whose output is read.

use candle_core::{Device, Tensor};
use peft_kernels::{TokenPositions, transfer};

use crate::error::Result;

/// Some tokens of a step.
#[derive(Debug)]
pub(crate) struct Read {
    /// Which they are among all tokens of the step, `[n]`.
    tokens: Tensor,
    /// Where they belong.
    pub(crate) positions: TokenPositions,
}

impl Read {
    pub(crate) fn new(tokens: &[u32], positions: &TokenPositions, device: &Device) -> Result<Self> {
        let own = tokens.iter().map(|token| positions.0.get(*token as usize).copied().flatten()).collect();
        Ok(Self { tokens: transfer::upload(tokens.to_vec(), tokens.len(), device)?, positions: TokenPositions(own) })
    }

    /// These tokens of `x [1, tokens, d]`.
    pub(crate) fn of(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.index_select(&self.tokens, 1)?)
    }
}
