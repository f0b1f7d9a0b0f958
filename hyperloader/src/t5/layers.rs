//! Parameters that know their names, and the two layers made of one: linear map and norm.

use candle_core::Tensor;
use peft_core::{Active, Ctx, SiteId, ops};

use crate::Result;

/// One parameter of the backbone.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    /// Its name in Hugging Face checkpoints.
    pub(super) name: String,
    /// Its value: a variable if it trains.
    pub(super) value: Tensor,
    /// Where it is the weight of a linear map at which methods may act: its site.
    pub(super) site: Option<SiteId>,
}

impl Weight {
    /// Cuts the value off from the graph and, where every method at the site folds, puts `W + ΔW` in its place.
    pub(super) fn fold(&mut self, active: &Active<'_>) -> Result<()> {
        if let Some(site) = self.site.filter(|site| !active.is_idle(*site))
            && let Some(folded) = active.fold(site, &self.value)?
        {
            (self.value, self.site) = (folded, None);
        }
        self.value = self.value.detach();
        Ok(())
    }
}

/// `y = x Wᵀ`, and whatever acts at its site.
#[derive(Debug, Clone)]
pub(super) struct Linear(pub(super) Weight);

impl Linear {
    /// `x [batch, length, d_in]` to `[batch, length, d_out]`.
    pub(super) fn forward(&self, x: &Tensor, active: &Active<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let Weight { value, site, .. } = &self.0;
        let y = ops::linear(x, value, ctx.kernels())?;
        match site {
            Some(site) => Ok(active.apply(*site, x, Some(value), y, ctx)?),
            None => Ok(y),
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
    pub(super) fn forward(&self, x: &Tensor, ctx: &Ctx) -> Result<Tensor> {
        Ok(ops::rms_norm(x, &self.weight.value, self.epsilon, ctx.kernels())?)
    }
}
