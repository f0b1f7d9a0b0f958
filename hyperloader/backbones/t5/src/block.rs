//! One block: self-attention, in a decoder cross-attention, and feed-forward, each after a norm and with a residual sum.

use candle_core::Tensor;
use peft_core::{ActiveAdapters, Residual, SiteId, SiteRole};

use super::attention::{Attention, Kind, Memory};
use super::builder::{BlockPath, Builder};
use super::feed_forward::FeedForward;
use super::packed::{GridBlock, GridStep, PackedPast, PackedTerms, Read};
use super::side::Side;
use super::terms::ScoreTerms;
use crate::error::Result;
use peft_core::layers::KeyValues;
use peft_core::layers::{RmsNorm, Run, Weight};

/// A function between norm and residual sum: `h + Dropout(site(f(norm(h))))`.
#[derive(Debug, Clone)]
struct SubLayer<F> {
    norm: RmsNorm,
    inner: F,
    output: SiteId,
    dropout: f64,
}

impl<F> SubLayer<F> {
    fn new(
        builder: &mut Builder<'_>,
        place: BlockPath,
        role: SiteRole,
        inner: impl FnOnce(&mut Builder<'_>) -> Result<F>,
    ) -> Result<Self> {
        let norm = builder.norm(format!("{}.layer_norm", place.path()), place, norm_role(&role))?;
        let inner = inner(builder)?;
        Ok(Self { norm, inner, output: builder.hidden(place, role), dropout: builder.config.dropout_rate })
    }

    /// `h [batch, length, d_model]` to the same shape; `inner` computes `f` of the normed stream.
    fn forward(
        &self,
        h: &Tensor,
        run: &mut Run<'_>,
        inner: impl FnOnce(&F, &Tensor, &mut Run<'_>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let normed = self.norm.forward(h, run)?;
        let y = inner(&self.inner, &normed, run)?;
        Ok(run.active.residual(self.output, Residual { h, y, dropout: self.dropout }, run.ctx)?)
    }
}

/// The role of the norm before a sub-layer.
fn norm_role(role: &SiteRole) -> SiteRole {
    match role {
        role if *role == SiteRole::SELF_ATTENTION => SiteRole::SELF_NORM,
        role if *role == SiteRole::CROSS_ATTENTION => SiteRole::CROSS_NORM,
        _ => SiteRole::FEED_FORWARD_NORM,
    }
}

/// What a decoder's block needs for the tokens of a step.
#[derive(Debug)]
pub(super) struct PackedLayer<'a> {
    /// The keys and values of the rows, which those of the step join.
    pub(super) past: &'a mut PackedPast,
    pub(super) own: &'a PackedTerms<'a>,
    /// The keys and values of the encoder's output.
    pub(super) memory: &'a KeyValues,
    pub(super) cross: &'a PackedTerms<'a>,
    /// The tokens whose output is read; `None`: all. Of the others, only keys and values are kept.
    pub(super) read: Option<&'a Read>,
}

/// One block of either stack.
#[derive(Debug, Clone)]
pub(super) struct Block {
    self_attention: SubLayer<Attention>,
    cross_attention: Option<SubLayer<Attention>>,
    feed_forward: SubLayer<FeedForward>,
}

impl Block {
    pub(super) fn new(builder: &mut Builder<'_>, side: Side, block: usize) -> Result<Self> {
        let place = |layer| BlockPath { side, block, layer };
        let attention = |builder: &mut Builder<'_>, layer, kind: Kind| {
            SubLayer::new(builder, place(layer), kind.role(), |b| Attention::new(b, place(layer), kind))
        };
        let self_attention = attention(builder, 0, Kind::SelfAttention)?;
        let (cross_attention, last) = match side {
            Side::Encoder => (None, 1),
            Side::Decoder => (Some(attention(builder, 1, Kind::CrossAttention)?), 2),
        };
        let feed_forward =
            SubLayer::new(builder, place(last), SiteRole::FEED_FORWARD, |b| FeedForward::new(b, place(last)))?;
        Ok(Self { self_attention, cross_attention, feed_forward })
    }

    /// `h [batch, length, d_model]` to the same shape. `terms` go onto the scores of self-attention. A decoder's block reads
    /// `memory`.
    pub(super) fn forward(
        &self,
        h: &Tensor,
        terms: &ScoreTerms,
        memory: Option<Memory<'_, ScoreTerms>>,
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let mut h = self.self_attention.forward(h, run, |attention, x, run| {
            let key_values = attention.key_values(x, run)?;
            attention.forward(x, Memory { key_values: &key_values, terms }, run)
        })?;
        if let (Some(cross), Some(memory)) = (&self.cross_attention, memory) {
            h = cross.forward(&h, run, |attention, x, run| attention.forward(x, memory, run))?;
        }
        self.feed_forward.forward(&h, run, FeedForward::forward)
    }

    /// The tokens `h [1, tokens, d_model]` of an encoder's sentences, to the same shape.
    pub(super) fn encode_packed(&self, h: &Tensor, terms: &PackedTerms<'_>, run: &mut Run<'_>) -> Result<Tensor> {
        let h = self.self_attention.forward(h, run, |attention, x, run| {
            let key_values = attention.key_values(x, run)?;
            attention.forward_packed(x, Memory { key_values: &key_values, terms }, run)
        })?;
        self.feed_forward.forward(&h, run, FeedForward::forward)
    }

    /// The tokens `h [batch, length, d_model]` of a step of a decoder, to the same shape, or to that of the tokens that are
    /// read.
    pub(super) fn decode_packed(&self, h: &Tensor, layer: PackedLayer<'_>, run: &mut Run<'_>) -> Result<Tensor> {
        let PackedLayer { past, own, memory, cross, read } = layer;
        let attention = &self.self_attention;
        let normed = attention.norm.forward(h, run)?;
        let new = attention.inner.key_values(&normed, run)?;
        let key_values = past.write(&new, own.tokens)?;
        let of = |x: &Tensor| read.map_or_else(|| Ok(x.clone()), |read| read.of(x));
        let y = attention.inner.forward_packed(&of(&normed)?, Memory { key_values, terms: &own.of(read) }, run)?;
        let mut h =
            run.active.residual(attention.output, Residual { h: &of(h)?, y, dropout: attention.dropout }, run.ctx)?;
        if let Some(attention) = &self.cross_attention {
            h = attention.forward(&h, run, |attention, x, run| {
                attention.forward_packed(x, Memory { key_values: memory, terms: &cross.of(read) }, run)
            })?;
        }
        self.feed_forward.forward(&h, run, FeedForward::forward)
    }

    /// The cells `h [rows, columns, d_model]` of a step of a decoder on a device, to the same shape.
    pub(super) fn decode_grid(
        &self,
        h: &Tensor,
        (past, step): (&GridBlock, &GridStep),
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let mut h = self.self_attention.forward(h, run, |attention, x, run| {
            past.write(&attention.key_values(x, run)?, step)?;
            attention.forward_grid(x, past.own(step), run)
        })?;
        if let Some(attention) = &self.cross_attention {
            h = attention.forward(&h, run, |attention, x, run| attention.forward_grid(x, past.source(step), run))?;
        }
        self.feed_forward.forward(&h, run, FeedForward::forward)
    }

    /// Whether methods act on keys and values, where they may put others in front.
    pub(super) fn has_prefix(&self, active: &ActiveAdapters<'_>) -> bool {
        let cross = self.cross_attention.as_ref().is_some_and(|cross| cross.inner.has_prefix(active));
        cross || self.self_attention.inner.has_prefix(active)
    }

    /// Whether all keys and values come from maps of eight bits.
    pub(super) fn is_int8(&self) -> bool {
        let cross = self.cross_attention.as_ref().is_none_or(|cross| cross.inner.is_int8());
        cross && self.self_attention.inner.is_int8()
    }

    /// The keys and values of the encoder's output for cross-attention; `None` in an encoder.
    pub(super) fn memory(&self, encoded: &Tensor, run: &mut Run<'_>) -> Result<Option<KeyValues>> {
        let cross = self.cross_attention.as_ref();
        cross.map(|cross| cross.inner.key_values(encoded, run)).transpose()
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let own = [&mut self.self_attention.norm.weight, &mut self.feed_forward.norm.weight];
        let cross = self
            .cross_attention
            .iter_mut()
            .flat_map(|sub| sub.inner.weights_mut().chain(std::iter::once(&mut sub.norm.weight)));
        let inner = self.self_attention.inner.weights_mut().chain(self.feed_forward.inner.weights_mut());
        own.into_iter().chain(cross).chain(inner)
    }
}
