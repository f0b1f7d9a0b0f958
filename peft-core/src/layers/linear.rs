//! A linear map without a bias.

use candle_core::Tensor;
use peft_kernels as ops;

use super::run::Run;
use super::weight::Weight;
use crate::Result;

/// `y = x Wᵀ`, and whatever acts at its site.
#[derive(Debug, Clone)]
pub struct Linear(pub Weight);

impl Linear {
    /// `x [batch, length, d_in]` to `[batch, length, d_out]`.
    ///
    /// # Errors
    /// If the shapes do not fit; or as the methods at the site.
    pub fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        match self.0.site {
            Some(site) => run.active.linear(site, x, &*self.0.met(run.active)?, run.ctx),
            None => Ok(ops::linear(x, &self.0.value, run.ctx.kernels())?),
        }
    }
}
