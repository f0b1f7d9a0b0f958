//! What is added to the scores of a step's tokens.

use candle_core::Tensor;
use peft_core::{KeyValuePrefix, PrefixPlacement};
use peft_kernels::{Kernels, OffsetBias, PackedAttention, PackedBias, PackedKeys, TokenPositions, packed_attention};

use super::read::Read;
use crate::bias::RelativeBias;
use crate::error::Result;
use peft_core::layers::KeyValues;

/// What is added to the scores of a step's tokens, and which keys they see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedTerms<'a> {
    pub(crate) tokens: &'a TokenPositions,
    pub(crate) keys: PackedKeys<'a>,
    /// The relative position bias.
    pub(crate) bias: Option<&'a OffsetBias>,
    /// Added to a token's position where its bias is looked up.
    pub(crate) shift: usize,
    /// The mask of a padded source as terms, `[sentences, source]`; empty for other keys.
    pub(crate) mask: &'a [f32],
    /// Where the bias of a row's own keys comes from: with keys in front of them it is computed anew.
    pub(crate) relative: Option<&'a RelativeBias>,
}

impl<'a> PackedTerms<'a> {
    /// Those of `tokens` that see `keys`, with neither bias nor mask.
    pub(crate) fn new(tokens: &'a TokenPositions, keys: PackedKeys<'a>) -> Self {
        Self { tokens, keys, bias: None, shift: 0, mask: &[], relative: None }
    }

    /// Those of the tokens that are read.
    pub(crate) fn of(self, read: Option<&'a Read>) -> Self {
        Self { tokens: read.map_or(self.tokens, |read| &read.positions), ..self }
    }

    /// The same with `prefix` in front of the keys, by the rules of a sentence that is decoded step by step.
    pub(crate) fn with_prefix(self, added: KeyValuePrefix) -> Self {
        match (self.keys, added.placement) {
            (PackedKeys::Source { rows, prefix }, _) => {
                Self { keys: PackedKeys::Source { rows, prefix: prefix + added.length }, ..self }
            }
            (PackedKeys::Own { prefix }, PrefixPlacement::Past | PrefixPlacement::Shifting) => {
                let moved = if added.placement == PrefixPlacement::Past { added.length } else { 0 };
                let keys = PackedKeys::Own { prefix: prefix + added.length };
                Self { keys, shift: self.shift + moved, ..self }
            }
            (PackedKeys::Own { .. }, PrefixPlacement::UncountedPast) | (PackedKeys::Packed { .. }, _) => self,
        }
    }

    /// The bias of a row's own keys with a prefix in front of them; `None` for other keys.
    pub(crate) fn bias_with_prefix(&self) -> Result<Option<OffsetBias>> {
        let (Some(relative), PackedKeys::Own { prefix }) = (self.relative, self.keys) else {
            return Ok(None);
        };
        Ok(Some(relative.offsets(self.tokens.end() + self.shift, prefix)?))
    }

    /// `softmax(q kᵀ + terms) v` per head: `q [b, l, heads · d_kv]` to the same shape. Tokens without a position get zeros.
    pub(crate) fn attend(&self, q: &Tensor, memory: &KeyValues, heads: usize, kernels: Kernels) -> Result<Tensor> {
        let bias = self.bias.map(|offsets| PackedBias { offsets, shift: self.shift });
        let options = PackedAttention { heads, tokens: self.tokens, keys: self.keys, bias, mask: self.mask };
        Ok(packed_attention(q, (&memory.keys, &memory.values), &options, kernels)?)
    }
}
