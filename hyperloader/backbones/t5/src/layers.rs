//! Parameters that know their names, and the two layers made of one: linear map and norm.

use std::borrow::Cow;

use candle_core::{DType, Tensor};
use peft_core::{ActiveAdapters, Ctx, SiteId, SiteInput};
use peft_kernels as ops;

use crate::error::Result;

/// What every layer of a forward pass gets: the methods that act at its sites, and the context.
pub(super) struct Run<'a> {
    pub(super) active: &'a ActiveAdapters<'a>,
    pub(super) ctx: &'a mut Ctx,
}

/// One parameter of the backbone.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    /// Its name in Hugging Face checkpoints.
    pub(super) name: String,
    /// Its value: a variable if it trains.
    pub(super) value: Tensor,
    /// Where it is the weight of a linear map or a norm at which methods may act: its site.
    pub(super) site: Option<SiteId>,
}

impl Weight {
    /// The value that methods compute with: a frozen one may be `bf16` or have eight bits.
    pub(super) fn wide(&self) -> Result<Tensor> {
        match self.value.dtype() {
            DType::BF16 => Ok(self.value.to_dtype(DType::F32)?),
            DType::U8 => Ok(ops::dequantize(&self.value)?),
            _ => Ok(self.value.clone()),
        }
    }

    /// `value` in the type of the present one.
    pub(super) fn narrow(&self, value: Tensor) -> Result<Tensor> {
        match self.value.dtype() {
            DType::U8 => Ok(ops::quantize(&value.detach())?),
            dtype => Ok(value.to_dtype(dtype)?),
        }
    }

    /// The value that the methods at the site meet, if they act: what has eight bits is no matrix to them.
    fn met(&self, active: &ActiveAdapters<'_>) -> Result<Cow<'_, Tensor>> {
        match self.value.dtype() == DType::U8 && self.is_target(active) {
            true => Ok(Cow::Owned(self.wide()?)),
            false => Ok(Cow::Borrowed(&self.value)),
        }
    }

    /// Whether a method acts at the site.
    pub(super) fn is_target(&self, active: &ActiveAdapters<'_>) -> bool {
        self.site.is_some_and(|site| !active.is_idle(site))
    }

    /// What the methods at the site make of `output`.
    pub(super) fn apply(&self, input: &Tensor, output: Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        match self.site {
            Some(site) => Ok(run.active.apply(site, SiteInput::new(input, output).base(&self.value), run.ctx)?),
            None => Ok(output),
        }
    }
}

/// `y = x Wᵀ`, and whatever acts at its site.
#[derive(Debug, Clone)]
pub(super) struct Linear(pub(super) Weight);

impl Linear {
    /// `x [batch, length, d_in]` to `[batch, length, d_out]`.
    pub(super) fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        match self.0.site {
            Some(site) => Ok(run.active.linear(site, x, &*self.0.met(run.active)?, run.ctx)?),
            None => Ok(ops::linear(x, &self.0.value, run.ctx.kernels())?),
        }
    }
}

/// Root mean square norm (Zhang and Sennrich, *Root mean square layer normalization*, NeurIPS 2019):
/// `x / √(mean(x²) + ε) ⊙ w`, without mean subtraction or bias.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    pub(super) weight: Weight,
    pub(super) epsilon: f64,
}

impl Norm {
    /// `x [batch, length, d_model]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let Weight { value, .. } = &self.weight;
        if !self.weight.is_target(run.active) {
            return Ok(ops::rms_norm(x, value, self.epsilon, run.ctx.kernels())?);
        }
        let normalized = ops::rms_norm(x, &value.ones_like()?, self.epsilon, run.ctx.kernels())?;
        let output = normalized.broadcast_mul(value)?;
        self.weight.apply(&normalized, output, run)
    }
}
