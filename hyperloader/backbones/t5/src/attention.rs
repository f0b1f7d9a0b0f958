//! Multi-head attention, T5's way: no scaling by `1/√d_kv`, biases on scores, no biases on projections.

use candle_core::{D, DType, Tensor};
use peft_core::{ActiveAdapters, Ctx, PrefixPlacement, SiteId, SiteInput};
use peft_kernels as ops;

use super::builder::{Builder, Features, Place, inverse_sqrt};
use super::layers::{Linear, Weight};
use super::rows::{self, Keys, PackedTerms};
use super::terms::ScoreTerms;
use crate::{Error, Result};

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

    /// The position of what stands in front of the keys.
    fn front_position(self, front: PrefixPlacement) -> &'static str {
        match (self, front) {
            (Self::SelfAttention, PrefixPlacement::Past) => "self.past",
            (Self::SelfAttention, PrefixPlacement::UncountedPast) => "self.uncounted_past",
            (Self::SelfAttention, PrefixPlacement::Shifting) => "self.kv",
            (Self::CrossAttention, PrefixPlacement::Past) => "cross.past",
            (Self::CrossAttention, PrefixPlacement::UncountedPast) => "cross.uncounted_past",
            (Self::CrossAttention, PrefixPlacement::Shifting) => "cross.kv",
        }
    }
}

/// Keys and values, `[batch, length, heads · d_kv]` each.
#[derive(Debug, Clone)]
pub(super) struct KeyValues {
    pub(super) keys: Tensor,
    pub(super) values: Tensor,
}

impl KeyValues {
    /// What the methods at `site` make of them, for the queries of `x`; nothing is copied where none acts.
    fn at(&self, site: SiteId, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Option<Self>> {
        if active.is_idle(site) {
            return Ok(None);
        }
        let features = self.keys.dim(D::Minus1)?;
        let beside = Tensor::cat(&[&self.keys, &self.values], D::Minus1)?;
        let longer = active.apply(site, SiteInput::new(x, beside), ctx)?;
        let half = |first| longer.narrow(D::Minus1, first, features)?.contiguous();
        Ok(Some(Self { keys: half(0)?, values: half(features)? }))
    }

    fn len(&self) -> Result<usize> {
        Ok(self.keys.dim(1)?)
    }

    pub(super) fn to_dtype(&self, dtype: DType) -> Result<Self> {
        Ok(Self { keys: self.keys.to_dtype(dtype)?, values: self.values.to_dtype(dtype)? })
    }

    /// Each row `times` times, one copy after the other.
    fn repeat_rows(&self, times: usize) -> Result<Self> {
        Ok(Self { keys: repeat_rows(&self.keys, times)?, values: repeat_rows(&self.values, times)? })
    }
}

/// Each row of `x` `times` times, one copy after the other.
pub(super) fn repeat_rows(x: &Tensor, times: usize) -> Result<Tensor> {
    let rows: Vec<u32> = (0..x.dim(0)? as u32).flat_map(|row| std::iter::repeat_n(row, times)).collect();
    let count = rows.len();
    Ok(x.contiguous()?.index_select(&Tensor::from_vec(rows, count, x.device())?, 0)?)
}

/// `softmax(q kᵀ + bias + mask) v Woᵀ` per head, with dropout on the probabilities.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// Where methods put keys and values in front of the others.
    front: [(SiteId, PrefixPlacement); 3],
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
        let path = format!("{}.{}", place.path(), kind.module());
        let module = |name: &str| format!("{}.{name}", kind.module());
        Ok(Self {
            q: builder.linear(place, &module("q"), q, into, q_stdev)?,
            k: builder.linear(place, &module("k"), k, into, inverse_sqrt(d_model))?,
            v: builder.linear(place, &module("v"), v, into, inverse_sqrt(d_model))?,
            front: builder.key_values(place, &path, |front| kind.front_position(front)),
            o: builder.linear(place, &module("o"), o, out, inverse_sqrt(inner))?,
            heads,
            dropout,
        })
    }

    /// The keys and values of `x [batch, length, d_model]`.
    pub(super) fn key_values(&self, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<KeyValues> {
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
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        if let Some((memory, terms)) = self.in_front(x, memory, terms, active, ctx)? {
            return self.attend(x, &memory, &terms, active, ctx);
        }
        self.attend(x, memory, terms, active, ctx)
    }

    /// Keys, values and terms with what methods put in front of them; `None` where none does.
    fn in_front(
        &self,
        x: &Tensor,
        memory: &KeyValues,
        terms: &ScoreTerms,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Option<(KeyValues, ScoreTerms)>> {
        if self.front.iter().all(|(site, _)| active.is_idle(*site)) {
            return Ok(None);
        }
        let (batch, queries, _) = x.dims3()?;
        let beams = batch / memory.keys.dim(0)?.max(1);
        let (mut memory, mut terms) = match beams {
            0 | 1 => (memory.clone(), terms.clone()),
            // What is in front may depend on the row of the queries.
            _ => (memory.repeat_rows(beams)?, terms.apart(beams, queries)?),
        };
        for (site, front) in self.front {
            if let Some(longer) = memory.at(site, x, active, ctx)? {
                let (keys, all) = (memory.len()?, longer.len()?);
                terms = terms.with_front(all.saturating_sub(keys), front, (queries, keys), ctx)?;
                memory = longer;
            }
        }
        Ok(Some((memory, terms)))
    }

    fn attend(
        &self,
        x: &Tensor,
        memory: &KeyValues,
        terms: &ScoreTerms,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let q = self.q.forward(x, active, ctx)?;
        let (batch, queries, inner) = q.dims3()?;
        let rows = memory.keys.dim(0)?;
        let beside = if rows == batch { q } else { q.reshape((rows, (), inner))? };
        let dropout = ctx.dropout_key(self.dropout);
        let options =
            ops::Attention { heads: self.heads, bias: terms.bias.as_ref(), mask: terms.mask.as_ref(), dropout };
        let found = ops::attention([&beside, &memory.keys, &memory.values], &options, ctx.kernels())?;
        let found = if rows == batch { found } else { found.reshape((batch, queries, inner))? };
        self.o.forward(&found, active, ctx)
    }

    /// Whether a method puts keys and values in front of the others.
    pub(super) fn has_front(&self, active: &ActiveAdapters<'_>) -> bool {
        self.front.iter().any(|(site, _)| !active.is_idle(*site))
    }

    /// What the queries of the tokens `x [batch, length, d_model]` of a step find in `memory`, each row in its own; the same
    /// shape.
    pub(super) fn forward_packed(
        &self,
        x: &Tensor,
        memory: &KeyValues,
        terms: &PackedTerms<'_>,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let q = self.q.forward(x, active, ctx)?;
        let found = match self.has_front(active) {
            true => self.attend_after_prefix(x, &q, memory, terms, active, ctx)?,
            false => rows::attention(&q, memory, self.heads, terms, ctx.kernels())?,
        };
        self.o.forward(&found, active, ctx)
    }

    /// The same where methods put keys in front: `x` has one token of every row.
    fn attend_after_prefix(
        &self,
        x: &Tensor,
        q: &Tensor,
        memory: &KeyValues,
        terms: &PackedTerms<'_>,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let (mut memory, mut terms, mut repeated) = (memory.clone(), *terms, Vec::new());
        if let Keys::Packed { .. } = terms.keys {
            return Err(Error::Mismatch(
                "a method puts keys in front of the source in each row: the source must be encoded with that method active"
                    .into(),
            ));
        }
        if let Keys::Source { rows, front } = terms.keys {
            let source = memory.len()?;
            for sentence in terms.mask.chunks_exact(source.max(1)) {
                (0..rows).for_each(|_| repeated.extend_from_slice(sentence));
            }
            memory = memory.repeat_rows(rows)?;
            terms = PackedTerms { keys: Keys::Source { rows: 1, front }, mask: &repeated, ..terms };
        }
        for (site, front) in self.front {
            if let Some(longer) = memory.at(site, x, active, ctx)? {
                terms = terms.with_front(longer.len()?.saturating_sub(memory.len()?), front);
                memory = longer;
            }
        }
        let bias = terms.bias_in_front()?;
        let terms = PackedTerms { bias: bias.as_ref().or(terms.bias), ..terms };
        rows::attention(q, &memory, self.heads, &terms, ctx.kernels())
    }

    /// Whether keys and values come from maps of eight bits.
    pub(super) fn is_int8(&self) -> bool {
        [&self.k, &self.v].iter().all(|map| map.0.value.dtype() == DType::U8)
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        [&mut self.q, &mut self.k, &mut self.v, &mut self.o].into_iter().map(|linear| &mut linear.0)
    }
}
