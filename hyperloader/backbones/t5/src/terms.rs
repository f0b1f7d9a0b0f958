//! What is added to the attention scores of whole sentences, and how it grows where methods put keys in front.

use candle_core::Tensor;
use peft_core::{Ctx, KeyValuePrefix, PrefixPlacement};

use super::bias::RelativeBias;
use super::mask;
use super::offsets::{hidden_after, spread};
use crate::error::Result;

/// What is added to the scores `q kᵀ`. Both broadcast to `[batch, heads, queries, keys]`.
#[derive(Debug, Clone)]
pub(super) struct ScoreTerms {
    /// The relative position bias, `[1, heads, queries, keys]`; in a decoder with the causal mask.
    pub(super) bias: Option<Tensor>,
    /// The mask, `[batch or 1, 1, queries or 1, keys]`.
    pub(super) mask: Option<Tensor>,
    /// In self-attention: where the bias came from.
    pub(super) relative: Option<Relative>,
}

/// The relative position bias of the queries of whole sentences.
#[derive(Debug, Clone)]
pub(super) struct Relative {
    pub(super) table: RelativeBias,
    /// The position of the first query.
    first: usize,
    /// In a decoder: the last key that the first query sees.
    last_seen: Option<usize>,
}

impl Relative {
    /// The queries from position 0 on. With a bidirectional table they see every key, otherwise themselves and what comes before.
    pub(super) fn new(table: RelativeBias) -> Self {
        let last_seen = if table.buckets.bidirectional { None } else { Some(0) };
        Self { table, first: 0, last_seen }
    }

    /// The bias of `queries` queries on `keys` keys.
    pub(super) fn bias(&self, queries: usize, keys: usize, ctx: &Ctx) -> Result<Tensor> {
        let device = self.table.table.value.device();
        if ctx.goes_device_way(device) {
            let (first, count) = (-((self.first + queries) as i64 - 1), (queries + keys).saturating_sub(1));
            let mut bias = self.table.of_offsets(first, count, ctx)?;
            if let Some(last_seen) = self.last_seen {
                bias =
                    bias.broadcast_add(&hidden_after(last_seen + queries, count, device)?.to_dtype(bias.dtype())?)?;
            }
            return spread(&bias, queries, keys);
        }
        let bias = self.table.forward(self.first, queries, keys, ctx)?;
        let Some(last_seen) = self.last_seen else {
            return Ok(bias);
        };
        match mask::causal(last_seen, queries, keys, &bias)? {
            Some(mask) => Ok(bias.broadcast_add(&mask)?),
            None => Ok(bias),
        }
    }

    /// The same with `prefix` in front of the keys.
    fn with_prefix(&self, prefix: KeyValuePrefix) -> Self {
        let moved = match prefix.placement {
            PrefixPlacement::Past | PrefixPlacement::UncountedPast => prefix.length,
            PrefixPlacement::Shifting => 0,
        };
        let last_seen = self.last_seen.map(|last| last + prefix.length);
        Self { first: self.first + moved, last_seen, ..self.clone() }
    }
}

impl ScoreTerms {
    /// The terms of `queries` queries with `prefixes` in front of `keys` keys.
    pub(super) fn with_prefixes(
        &self,
        prefixes: impl Iterator<Item = KeyValuePrefix>,
        (queries, keys): (usize, usize),
        ctx: &Ctx,
    ) -> Result<Self> {
        let (mut relative, mut count) = (self.relative.clone(), 0);
        for prefix in prefixes {
            relative = relative.map(|relative| relative.with_prefix(prefix));
            count += prefix.length;
        }
        if count == 0 {
            return Ok(self.clone());
        }
        let bias = match (&relative, &self.bias) {
            (Some(relative), _) => Some(relative.bias(queries, count + keys, ctx)?),
            (None, Some(bias)) => Some(bias.pad_with_zeros(3, count, 0)?),
            (None, None) => None,
        };
        let mask = self.mask.as_ref().map(|mask| mask.pad_with_zeros(3, count, 0)).transpose()?;
        Ok(Self { bias, mask, relative })
    }
}
