//! What is added to attention scores, and how it grows where methods put keys in front.

use candle_core::Tensor;
use peft_core::{Ctx, PrefixPlacement};

use super::attention::repeat_rows;
use super::bias::RelativeBias;
use super::mask;
use crate::Result;

/// What is added to the scores `q kᵀ`. Both broadcast to `[batch, heads, queries, keys]`.
#[derive(Debug, Clone)]
pub(super) struct ScoreTerms {
    /// The relative position bias, `[1, heads, queries, keys]`, in a decoder with what blocks the future.
    pub(super) bias: Option<Tensor>,
    /// The mask, `[batch or 1, 1, queries or 1, keys]`.
    pub(super) mask: Option<Tensor>,
    /// In self-attention: where the bias came from.
    pub(super) relative: Option<Relative>,
}

/// The relative position bias of a run of queries.
#[derive(Debug, Clone)]
pub(super) struct Relative {
    pub(super) table: RelativeBias,
    /// The position of the first query.
    pub(super) first: usize,
    /// In a decoder: the last key that the first query sees.
    pub(super) last_seen: Option<usize>,
    /// Whether the queries are the next ones of a sentence that is decoded step by step.
    pub(super) in_steps: bool,
}

impl Relative {
    /// The bias of these queries on as many `keys`.
    pub(super) fn bias(&self, queries: usize, keys: usize, ctx: &Ctx) -> Result<Tensor> {
        let bias = self.table.forward(self.first, queries, keys, ctx)?;
        let Some(last_seen) = self.last_seen else {
            return Ok(bias);
        };
        match mask::causal(last_seen, queries, keys, bias.dtype(), bias.device())? {
            Some(mask) => Ok(bias.broadcast_add(&mask)?),
            None => Ok(bias),
        }
    }

    /// The same once `count` keys stand in front of the others.
    fn with_front(&self, count: usize, front: PrefixPlacement) -> Self {
        let (later, more) = match front {
            PrefixPlacement::Past => (count, count),
            PrefixPlacement::Shifting => (0, count),
            PrefixPlacement::UncountedPast if self.in_steps => (0, 0),
            PrefixPlacement::UncountedPast => (count, count),
        };
        Self { first: self.first + later, last_seen: self.last_seen.map(|last| last + more), ..self.clone() }
    }
}

impl ScoreTerms {
    /// The terms of `queries` queries once `count` keys stand in front of `keys` others.
    pub(super) fn with_front(
        &self,
        count: usize,
        front: PrefixPlacement,
        (queries, keys): (usize, usize),
        ctx: &Ctx,
    ) -> Result<Self> {
        if count == 0 {
            return Ok(self.clone());
        }
        let relative = self.relative.as_ref().map(|relative| relative.with_front(count, front));
        let bias = match (&relative, &self.bias) {
            (Some(relative), _) => Some(relative.bias(queries, count + keys, ctx)?),
            (None, Some(bias)) => Some(bias.pad_with_zeros(3, count, 0)?),
            (None, None) => None,
        };
        let mask = self.mask.as_ref().map(|mask| mask.pad_with_zeros(3, count, 0)).transpose()?;
        Ok(Self { bias, mask, relative })
    }

    /// The terms of one of `beams` sets of queries that stand side by side, for `beams` times as many rows.
    pub(super) fn apart(&self, beams: usize, queries: usize) -> Result<Self> {
        let bias = self.bias.as_ref().map(|bias| bias.narrow(2, 0, queries)?.contiguous()).transpose()?;
        let mask = self.mask.as_ref().map(|mask| repeat_rows(mask, beams)).transpose()?;
        Ok(Self { bias, mask, relative: self.relative.clone() })
    }

    /// The same for queries that are the next ones of a sentence that is decoded step by step.
    pub(super) fn in_steps(self) -> Self {
        let relative = self.relative.map(|relative| Relative { in_steps: true, ..relative });
        Self { relative, ..self }
    }
}
