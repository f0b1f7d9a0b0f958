//! Multi-head attention, T5's way: no scaling by `1/√d_kv`, biases on scores, no biases on projections.

use candle_core::Tensor;
use peft_core::{Active, Ctx, ops};

use super::builder::{Builder, Features, Place, inverse_sqrt};
use super::layers::{Linear, Weight};
use crate::Result;

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

    /// The position of the sub-layer's output.
    pub(super) fn position(self) -> &'static str {
        match self {
            Self::SelfAttention => "self",
            Self::CrossAttention => "cross",
        }
    }

    /// The positions of q, k, v and o.
    fn positions(self) -> [&'static str; 4] {
        match self {
            Self::SelfAttention => ["self.q", "self.k", "self.v", "self.o"],
            Self::CrossAttention => ["cross.q", "cross.k", "cross.v", "cross.o"],
        }
    }
}

/// Keys and values, `[batch, length, heads · d_kv]` each.
#[derive(Debug, Clone)]
pub(super) struct KeyValues {
    pub(super) keys: Tensor,
    pub(super) values: Tensor,
}

/// What is added to the scores `q kᵀ`. Both broadcast to `[batch, heads, queries, keys]`.
#[derive(Debug, Clone)]
pub(super) struct ScoreTerms {
    /// The relative position bias, `[1, heads, queries, keys]`.
    pub(super) bias: Option<Tensor>,
    /// The mask, `[batch or 1, 1, queries or 1, keys]`.
    pub(super) mask: Option<Tensor>,
}

/// `softmax(q kᵀ + bias + mask) v Woᵀ` per head, with dropout on the probabilities.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    heads: usize,
    dropout: f64,
}

impl Attention {
    pub(super) fn new(builder: &mut Builder<'_>, place: Place, kind: Kind) -> Result<Self> {
        let config = builder.config;
        let (d_model, inner, heads, dropout) =
            (config.d_model, config.inner_dim(), config.num_heads, config.dropout_rate);
        let q_stdev = inverse_sqrt(d_model * config.d_kv);
        let [into, out] = [Features { d_in: d_model, d_out: inner }, Features { d_in: inner, d_out: d_model }];
        let [q, k, v, o] = kind.positions();
        let module = |name: &str| format!("{}.{name}", kind.module());
        Ok(Self {
            q: builder.linear(place, &module("q"), q, into, q_stdev)?,
            k: builder.linear(place, &module("k"), k, into, inverse_sqrt(d_model))?,
            v: builder.linear(place, &module("v"), v, into, inverse_sqrt(d_model))?,
            o: builder.linear(place, &module("o"), o, out, inverse_sqrt(inner))?,
            heads,
            dropout,
        })
    }

    /// The keys and values of `x [batch, length, d_model]`.
    pub(super) fn key_values(&self, x: &Tensor, active: &Active<'_>, ctx: &mut Ctx) -> Result<KeyValues> {
        let keys = self.k.forward(x, active, ctx)?;
        let values = self.v.forward(x, active, ctx)?;
        Ok(KeyValues { keys, values })
    }

    /// What the queries of `x [batch, queries, d_model]` find in `memory`, `[batch, queries, d_model]`.
    ///
    /// `memory` may have fewer rows than `x`: then each of its rows serves `batch / rows` successive rows of `x` (the
    /// beams of one sentence), whose queries stand side by side; `terms` are those of all of them.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        memory: &KeyValues,
        terms: &ScoreTerms,
        active: &Active<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let q = self.q.forward(x, active, ctx)?;
        let (batch, queries, inner) = q.dims3()?;
        let rows = memory.keys.dim(0)?;
        let beside = if rows == batch { q } else { q.reshape((rows, (), inner))? };
        let dropout = ctx.dropout_key(self.dropout);
        let found = ops::attention(
            &beside,
            &memory.keys,
            &memory.values,
            self.heads,
            terms.bias.as_ref(),
            terms.mask.as_ref(),
            dropout,
            ctx.kernels(),
        )?;
        self.o.forward(&found.reshape((batch, queries, inner))?, active, ctx)
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        [&mut self.q, &mut self.k, &mut self.v, &mut self.o].into_iter().map(|linear| &mut linear.0)
    }
}
