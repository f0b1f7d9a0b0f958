//! Multi-head attention, T5's way: no scaling by `1/√d_kv`, biases on scores, no biases on projections.

use candle_core::{DType, Tensor};
use peft_core::{ActiveAdapters, SiteId, SiteRole};
use peft_kernels::{self as ops, PackedKeys};

use super::builder::{BlockPath, Builder, Features, inverse_sqrt};
use super::packed::{GridMemory, PackedTerms};
use super::terms::ScoreTerms;
use crate::error::{Error, Result};
use peft_core::layers::KeyValues;
use peft_core::layers::{Linear, Run, Weight};

/// Whose keys and values the queries attend to, which decides names alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those of the same sequence.
    SelfAttention,
    /// Those of the encoder's output.
    CrossAttention,
}

impl Kind {
    /// The name of the module in checkpoints.
    pub(super) fn module(self) -> &'static str {
        match self {
            Self::SelfAttention => "SelfAttention",
            Self::CrossAttention => "EncDecAttention",
        }
    }

    /// The role of the sub-layer's output.
    pub(super) fn role(self) -> SiteRole {
        match self {
            Self::SelfAttention => SiteRole::SELF_ATTENTION,
            Self::CrossAttention => SiteRole::CROSS_ATTENTION,
        }
    }

    /// The roles of q, k, v and o.
    fn roles(self) -> [SiteRole; 4] {
        match self {
            Self::SelfAttention => [SiteRole::SELF_Q, SiteRole::SELF_K, SiteRole::SELF_V, SiteRole::SELF_O],
            Self::CrossAttention => [SiteRole::CROSS_Q, SiteRole::CROSS_K, SiteRole::CROSS_V, SiteRole::CROSS_O],
        }
    }

    /// The role of keys and values.
    fn key_values(self) -> SiteRole {
        match self {
            Self::SelfAttention => SiteRole::SELF_KEY_VALUES,
            Self::CrossAttention => SiteRole::CROSS_KEY_VALUES,
        }
    }
}

/// The keys and values that queries attend to, and what is added to their scores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a, T> {
    pub(super) key_values: &'a KeyValues,
    pub(super) terms: &'a T,
}

/// `softmax(q kᵀ + bias + mask) v Woᵀ` per head, with dropout on the probabilities.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// Where methods put keys and values in front of the others.
    key_values: SiteId,
    heads: usize,
    dropout: f64,
}

impl Attention {
    pub(super) fn new(builder: &mut Builder<'_>, place: BlockPath, kind: Kind) -> Result<Self> {
        let config = builder.config;
        let (d_model, inner, heads, dropout) =
            (config.d_model, config.inner_dim(), config.num_heads, config.dropout_rate);
        let [into, out] = [Features::new(d_model, inner), Features::new(inner, d_model)];
        let queries = Features { stdev: inverse_sqrt(d_model * config.d_kv), ..into };
        let [q, k, v, o] = kind.roles();
        let path = format!("{}.{}", place.path(), kind.module());
        let module = |name: &str| format!("{}.{name}", kind.module());
        Ok(Self {
            q: builder.linear(place, &module("q"), q, queries)?,
            k: builder.linear(place, &module("k"), k, into)?,
            v: builder.linear(place, &module("v"), v, into)?,
            key_values: builder.key_values(place, path, kind.key_values()),
            o: builder.linear(place, &module("o"), o, out)?,
            heads,
            dropout,
        })
    }

    /// The keys and values of `x [batch, length, d_model]`.
    pub(super) fn key_values(&self, x: &Tensor, run: &mut Run<'_>) -> Result<KeyValues> {
        let keys = self.k.forward(x, run)?;
        let values = self.v.forward(x, run)?;
        Ok(KeyValues { keys, values })
    }

    /// What the queries of `x [batch, queries, d_model]` find in `memory`, `[batch, queries, d_model]`.
    pub(super) fn forward(&self, x: &Tensor, memory: Memory<'_, ScoreTerms>, run: &mut Run<'_>) -> Result<Tensor> {
        if !self.has_prefix(run.active) {
            return self.attend(x, memory, run);
        }
        let Memory { key_values, terms } = memory;
        let longer = key_values.at(self.key_values, x, run)?;
        let lengths = (x.dim(1)?, key_values.len()?);
        let terms = terms.with_prefixes(run.active.prefixes(self.key_values), lengths, run.ctx)?;
        self.attend(x, Memory { key_values: &longer, terms: &terms }, run)
    }

    fn attend(&self, x: &Tensor, memory: Memory<'_, ScoreTerms>, run: &mut Run<'_>) -> Result<Tensor> {
        let Memory { key_values: KeyValues { keys, values }, terms } = memory;
        let q = self.q.forward(x, run)?;
        let dropout = run.ctx.dropout_key(self.dropout);
        let options = ops::Attention {
            heads: self.heads,
            key_value_heads: self.heads,
            scale: None,
            bias: terms.bias.as_ref(),
            mask: terms.mask.as_ref(),
            dropout,
        };
        let found = ops::attention([&q, keys, values], &options, run.ctx.kernels())?;
        Ok(self.o.forward(&found, run)?)
    }

    /// Whether methods act on keys and values, where they may put others in front.
    pub(super) fn has_prefix(&self, active: &ActiveAdapters<'_>) -> bool {
        !active.is_idle(self.key_values)
    }

    /// What the queries of the tokens `x [batch, length, d_model]` of a step find in `memory`, each row in its own; the same
    /// shape.
    pub(super) fn forward_packed(
        &self,
        x: &Tensor,
        memory: Memory<'_, PackedTerms<'_>>,
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let q = self.q.forward(x, run)?;
        let found = match self.has_prefix(run.active) {
            true => self.attend_with_prefix(x, &q, memory, run)?,
            false => memory.terms.attend(&q, memory.key_values, self.heads, run.ctx.kernels())?,
        };
        Ok(self.o.forward(&found, run)?)
    }

    /// What the cells `x [rows, columns, d_model]` of a grid find in `memory`, the same shape.
    pub(super) fn forward_grid(&self, x: &Tensor, memory: GridMemory<'_>, run: &mut Run<'_>) -> Result<Tensor> {
        let q = self.q.forward(x, run)?;
        Ok(self.o.forward(&memory.attend(&q, run.ctx.kernels())?, run)?)
    }

    /// The same where methods put keys in front: `x` has one token of every row.
    fn attend_with_prefix(
        &self,
        x: &Tensor,
        q: &Tensor,
        memory: Memory<'_, PackedTerms<'_>>,
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let Memory { key_values, terms } = memory;
        let (repeated, mut terms, mut mask) = (memory_of_rows(key_values, terms)?, *terms, Vec::new());
        if let PackedKeys::Source { rows, prefix } = terms.keys {
            for sentence in terms.mask.chunks_exact(key_values.len()?.max(1)) {
                (0..rows).for_each(|_| mask.extend_from_slice(sentence));
            }
            terms = PackedTerms { keys: PackedKeys::Source { rows: 1, prefix }, mask: &mask, ..terms };
        }
        let longer = repeated.as_ref().unwrap_or(key_values).at(self.key_values, x, run)?;
        let terms = run.active.prefixes(self.key_values).fold(terms, PackedTerms::with_prefix);
        let bias = terms.bias_with_prefix()?;
        PackedTerms { bias: bias.as_ref().or(terms.bias), ..terms }.attend(q, &longer, self.heads, run.ctx.kernels())
    }

    /// Whether keys and values come from maps of eight bits.
    pub(super) fn is_int8(&self) -> bool {
        [&self.k, &self.v].iter().all(|map| map.0.value.dtype() == DType::U8)
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        [&mut self.q, &mut self.k, &mut self.v, &mut self.o].into_iter().map(|linear| &mut linear.0)
    }
}

/// Keys and values of a source once for each row that reads it; `None` where every row has its own already.
fn memory_of_rows(memory: &KeyValues, terms: &PackedTerms<'_>) -> Result<Option<KeyValues>> {
    match terms.keys {
        PackedKeys::Own { .. } | PackedKeys::Source { rows: 1, .. } => Ok(None),
        PackedKeys::Source { rows, .. } => Ok(Some(memory.repeat_rows(rows)?)),
        PackedKeys::Packed { .. } => Err(Error::Mismatch(
            "a method puts keys in front of the source in each row: encode the source with that method active".into(),
        )),
    }
}
