//! The position-wise feed-forward network, plain or gated.

use candle_core::Tensor;
use peft_core::SiteRole;
use peft_kernels as ops;

use super::builder::{BlockPath, Builder, Features};
use super::config::FeedForwardProj;
use crate::error::Result;
use peft_core::layers::{Linear, Run, Weight};

/// `wo Dropout(act(x))`.
#[derive(Debug, Clone)]
pub(super) struct FeedForward {
    activation: Activation,
    wo: Linear,
    dropout: f64,
}

#[derive(Debug, Clone)]
enum Activation {
    /// `relu(wi x)`
    Relu { wi: Linear },
    /// `gelu_tanh(wi_0 x) ⊙ wi_1 x` (Shazeer, *GLU variants improve transformer*, 2020)
    GatedGelu { wi_0: Linear, wi_1: Linear },
}

impl FeedForward {
    pub(super) fn new(builder: &mut Builder<'_>, place: BlockPath) -> Result<Self> {
        let config = builder.config;
        let (d_model, d_ff) = (config.d_model, config.d_ff);
        let mut into = |module: &str, role| builder.linear(place, module, role, Features::new(d_model, d_ff));
        let activation = match config.feed_forward_proj {
            FeedForwardProj::Relu => Activation::Relu { wi: into("DenseReluDense.wi", SiteRole::FEED_FORWARD_WI)? },
            FeedForwardProj::GatedGelu => Activation::GatedGelu {
                wi_0: into("DenseReluDense.wi_0", SiteRole::FEED_FORWARD_WI_0)?,
                wi_1: into("DenseReluDense.wi_1", SiteRole::FEED_FORWARD_WI_1)?,
            },
        };
        let out = Features::new(d_ff, d_model);
        let wo = builder.linear(place, "DenseReluDense.wo", SiteRole::FEED_FORWARD_WO, out)?;
        Ok(Self { activation, wo, dropout: config.dropout_rate })
    }

    /// `x [batch, length, d_model]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let kept = match &self.activation {
            Activation::Relu { wi } if !wi.0.is_target(run.active) && !self.wo.0.is_target(run.active) => {
                let dropout = run.ctx.dropout_key(self.dropout);
                let network = ops::FeedForward { w_in: &wi.0.value, w_out: &self.wo.0.value, dropout };
                return Ok(ops::feed_forward(x, &network, run.ctx.kernels())?);
            }
            Activation::Relu { wi } => {
                let activated = ops::relu(&wi.forward(x, run)?, run.ctx.kernels())?;
                run.ctx.dropout(&activated, self.dropout)?
            }
            Activation::GatedGelu { wi_0, wi_1 } => {
                let gate = ops::gelu_tanh(&wi_0.forward(x, run)?, run.ctx.kernels())?;
                let gated = (gate * wi_1.forward(x, run)?)?;
                run.ctx.dropout(&gated, self.dropout)?
            }
        };
        Ok(self.wo.forward(&kept, run)?)
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let into = match &mut self.activation {
            Activation::Relu { wi } => vec![wi],
            Activation::GatedGelu { wi_0, wi_1 } => vec![wi_0, wi_1],
        };
        into.into_iter().chain([&mut self.wo]).map(|linear| &mut linear.0)
    }
}
