//! Which keys a token sees, and what is added to its scores.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};

use super::bias::OffsetBias;
use super::positions::{TokenPosition, TokenPositions};

/// The keys that the tokens of a step attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackedKeys<'a> {
    /// Those of the token's own row, up to its own position: self-attention of a decoder. `k` is `[rows, room, width]`.
    Own {
        /// How many further keys are in front of the row's own; every token sees them.
        prefix: usize,
    },
    /// Those of a padded source, `k [sources, length, width]`: row `r` reads source `r / rows`.
    Source {
        /// Rows of one source.
        rows: usize,
        /// How many further keys are in front of the source's; they have neither bias nor mask.
        prefix: usize,
    },
    /// Those of a source without padding, `k [1, keys, width]`: row `r` reads source `r / rows`.
    Packed {
        /// Rows of one source.
        rows: usize,
        /// Where each source's keys are.
        sentences: &'a [Range<usize>],
    },
}

/// A bias, and where it is looked up.
#[derive(Debug, Clone, Copy)]
pub struct PackedBias<'a> {
    /// The bias by offset.
    pub offsets: &'a OffsetBias,
    /// Added to a token's position where its bias is looked up.
    pub shift: usize,
}

/// The options of [`packed_attention`](super::packed_attention).
#[derive(Debug, Clone, Copy)]
pub struct PackedAttention<'a> {
    /// How many heads share the width.
    pub heads: usize,
    /// Where the tokens of `q` belong.
    pub tokens: &'a TokenPositions,
    /// The keys that they see.
    pub keys: PackedKeys<'a>,
    /// The relative position bias.
    pub bias: Option<PackedBias<'a>>,
    /// The mask of a padded source, added to the scores, `[sources, length]`; empty for other keys.
    pub mask: &'a [f32],
}

impl<'a> PackedAttention<'a> {
    /// Without bias and mask.
    pub fn new(heads: usize, tokens: &'a TokenPositions, keys: PackedKeys<'a>) -> Self {
        Self { heads, tokens, keys, bias: None, mask: &[] }
    }

    /// The keys of each row and their width. Fails unless the tensors fit each other and the tokens.
    pub(super) fn key_dims(&self, q: &Tensor, (k, v): (&Tensor, &Tensor)) -> Result<(usize, usize)> {
        let ((_, _, width), (_, all, key_width), tokens) = (q.dims3()?, k.dims3()?, self.tokens.0.len());
        if key_width != width || k.dims() != v.dims() || q.elem_count() != tokens * width {
            bail!("packed attention: q {:?}, {tokens} tokens, k {:?}, v {:?}", q.dims(), k.dims(), v.dims());
        }
        Ok((all, width))
    }

    /// Which keys the token at `token` sees, where each row, or each padded source, has `room` keys.
    pub(super) fn seen(&self, token: TokenPosition, room: usize) -> Range<usize> {
        match self.keys {
            PackedKeys::Own { prefix } => from(token.row * room, room.min(token.position + prefix + 1)),
            PackedKeys::Source { rows, .. } => from(token.row / rows.max(1) * room, room),
            PackedKeys::Packed { rows, sentences } => {
                sentences.get(token.row / rows.max(1)).cloned().unwrap_or_default()
            }
        }
    }

    /// Adds bias and mask to `scores`, those of the token at `token` with the keys that it sees in one head.
    pub(super) fn add(&self, scores: &mut [f32], token: TokenPosition, head: usize) {
        let prefix = match self.keys {
            PackedKeys::Own { .. } | PackedKeys::Packed { .. } => 0,
            PackedKeys::Source { prefix, .. } => prefix,
        };
        let own = scores.get_mut(prefix..).unwrap_or_default();
        if let Some(PackedBias { offsets, shift }) = self.bias {
            add(own, offsets.of(head, token.position + shift));
        }
        if let PackedKeys::Source { rows, .. } = self.keys {
            add(own, self.mask.get(token.row / rows.max(1) * own.len()..).unwrap_or_default());
        }
    }
}

fn from(first: usize, count: usize) -> Range<usize> {
    first..first + count
}

fn add(scores: &mut [f32], terms: &[f32]) {
    scores.iter_mut().zip(terms).for_each(|(score, term)| *score += term);
}
