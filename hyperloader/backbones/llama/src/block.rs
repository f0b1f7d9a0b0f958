//! One block: attention and feed-forward, each after a norm and with a residual sum.

use candle_core::Tensor;
use peft_core::layers::{KeyValues, LayerBuilder, RmsNorm, Run, Weight};
use peft_core::{Residual, Result, SiteId, SiteKind, SiteRole};

use crate::attention::Attention;
use crate::call::Call;
use crate::config::LlamaConfig;
use crate::feed_forward::FeedForward;

/// `h + attention(norm(h))`, then `h + feed_forward(norm(h))`.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    attention_output: SiteId,
    feed_forward_norm: RmsNorm,
    feed_forward: FeedForward,
    feed_forward_output: SiteId,
}

impl Block {
    pub(crate) fn new(builder: &mut LayerBuilder<'_>, number: usize, config: &LlamaConfig) -> Result<Self> {
        builder.set_layer(number);
        let module = |name: &str| format!("model.layers.{number}.{name}");
        let (dim, norm) = (config.hidden_size, (config.hidden_size, config.rms_norm_eps));
        let output = SiteKind::SubLayer { dim };
        let (attention, feed_forward) = (module("self_attn"), module("mlp"));
        Ok(Self {
            attention_norm: builder.rms_norm(&module("input_layernorm"), SiteRole::SELF_NORM, norm)?,
            attention: Attention::new(builder, &attention, config)?,
            attention_output: builder.site(attention, SiteRole::SELF_ATTENTION, output),
            feed_forward_norm: builder.rms_norm(
                &module("post_attention_layernorm"),
                SiteRole::FEED_FORWARD_NORM,
                norm,
            )?,
            feed_forward: FeedForward::new(builder, &feed_forward, config)?,
            feed_forward_output: builder.site(feed_forward, SiteRole::FEED_FORWARD, output),
        })
    }

    /// `h [batch, length, hidden]` to the same shape. The keys and values of `h` join `past`.
    pub(crate) fn forward(
        &self,
        h: &Tensor,
        past: &mut Option<KeyValues>,
        call: &mut Call<'_>,
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let x = self.attention_norm.forward(h, run)?;
        let y = self.attention.forward(&x, past, call, run)?;
        let h = run.active.residual(self.attention_output, Residual { h, y, dropout: 0. }, run.ctx)?;
        let x = self.feed_forward_norm.forward(&h, run)?;
        let y = self.feed_forward.forward(&x, run)?;
        run.active.residual(self.feed_forward_output, Residual { h: &h, y, dropout: 0. }, run.ctx)
    }

    pub(crate) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let norms = [&mut self.attention_norm.weight, &mut self.feed_forward_norm.weight];
        norms.into_iter().chain(self.attention.weights_mut()).chain(self.feed_forward.weights_mut())
    }
}
