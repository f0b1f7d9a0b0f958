//! The position-wise feed-forward network.

use candle_core::Tensor;
use peft_core::layers::{LayerBuilder, Linear, Run, Weight};
use peft_core::{Result, SiteRole};
use peft_kernels::{self as ops, Activation};

use crate::config::LlamaConfig;

/// `down (silu(gate x) ⊙ up x)` (Shazeer, *GLU variants improve transformer*, 2020).
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    pub(crate) fn new(builder: &mut LayerBuilder<'_>, path: &str, config: &LlamaConfig) -> Result<Self> {
        let (d, inner) = (config.hidden_size, config.intermediate_size);
        let module = |name: &str| format!("{path}.{name}");
        Ok(Self {
            gate: builder.linear(&module("gate_proj"), SiteRole::FEED_FORWARD_WI_0, [inner, d])?,
            up: builder.linear(&module("up_proj"), SiteRole::FEED_FORWARD_WI_1, [inner, d])?,
            down: builder.linear(&module("down_proj"), SiteRole::FEED_FORWARD_WO, [d, inner])?,
        })
    }

    /// `x [batch, length, hidden]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let (gate, up) = (self.gate.forward(x, run)?, self.up.forward(x, run)?);
        let gated = ops::gated(&gate, &up, Activation::Silu, run.ctx.kernels())?;
        self.down.forward(&gated, run)
    }

    pub(crate) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        [&mut self.gate, &mut self.up, &mut self.down].into_iter().map(|linear| &mut linear.0)
    }
}
