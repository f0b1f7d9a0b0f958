//! A stack of blocks with what they share: the relative position bias and the norm at the end.

use candle_core::Tensor;
use peft_core::{ActiveAdapters, Ctx, SiteRole};

use super::attention::Kind;
use super::bias::RelativeBias;
use super::block::Block;
use super::builder::{BlockPath, Builder};
use super::mask;
use super::side::Side;
use super::terms::{Relative, ScoreTerms};
use crate::error::Result;
use peft_core::layers::{RmsNorm, Run, Weight};

/// The encoder or the decoder.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) blocks: Vec<Block>,
    /// The bias of self-attention: the first block owns the table, all blocks use it.
    pub(super) bias: RelativeBias,
    final_norm: RmsNorm,
    pub(super) dropout: f64,
}

impl Stack {
    pub(super) fn new(builder: &mut Builder<'_>, side: Side) -> Result<Self> {
        let count = match side {
            Side::Encoder => builder.config.num_layers,
            Side::Decoder => builder.config.num_decoder_layers,
        };
        let first = BlockPath { side, block: 0, layer: 0 };
        let path = format!("{}.{}", first.path(), Kind::SelfAttention.module());
        Ok(Self {
            bias: RelativeBias::new(builder, &path, side == Side::Encoder)?,
            blocks: (0..count).map(|i| Block::new(builder, side, i)).collect::<Result<_>>()?,
            final_norm: {
                let last = BlockPath { side, block: count.saturating_sub(1), layer: 0 };
                builder.norm(format!("{side}.final_layer_norm"), last, SiteRole::FINAL_NORM)?
            },
            dropout: builder.config.dropout_rate,
        })
    }

    /// What all blocks add to the scores of `length` positions on each other, with the padding mask `[batch, length]` if there
    /// is padding.
    pub(super) fn terms(&self, length: usize, padding: Option<&Tensor>, ctx: &Ctx) -> Result<ScoreTerms> {
        let relative = Relative::new(self.bias.clone());
        let bias = relative.bias(length, length, ctx)?;
        let mask = padding.map(|padding| mask::padding(padding, bias.dtype())).transpose()?;
        Ok(ScoreTerms { bias: Some(bias), mask, relative: Some(relative) })
    }

    /// Whether tokens of several rows can go through it one after the other: no method tells rows apart or acts on keys and
    /// values, where it may put others in front.
    pub(super) fn takes_packed(&self, active: &ActiveAdapters<'_>) -> bool {
        active.is_uniform() && !self.blocks.iter().any(|block| block.has_prefix(active))
    }

    /// The norm and the dropout after the last block.
    pub(super) fn finish(&self, h: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let normed = self.final_norm.forward(h, run)?;
        Ok(run.ctx.dropout(&normed, self.dropout)?)
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let own = [&mut self.bias.table, &mut self.final_norm.weight];
        own.into_iter().chain(self.blocks.iter_mut().flat_map(Block::weights_mut))
    }
}
