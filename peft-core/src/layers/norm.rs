//! The root mean square norm.

use candle_core::Tensor;
use peft_kernels as ops;

use super::run::Run;
use super::weight::Weight;
use crate::Result;

/// Root mean square norm (Zhang and Sennrich, *Root mean square layer normalization*, NeurIPS 2019):
/// `x / √(mean(x²) + ε) ⊙ w`, without mean subtraction or bias, and whatever acts at its site.
#[derive(Debug, Clone)]
pub struct RmsNorm {
    /// `w: [dim]`.
    pub weight: Weight,
    /// `ε`.
    pub epsilon: f64,
}

impl RmsNorm {
    /// `x [batch, length, dim]` to the same shape.
    ///
    /// # Errors
    /// If the shapes do not fit; or as the methods at the site.
    pub fn forward(&self, x: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let Weight { value, .. } = &self.weight;
        if !self.weight.is_target(run.active) {
            return Ok(ops::rms_norm(x, value, self.epsilon, run.ctx.kernels())?);
        }
        let normalized = ops::rms_norm(x, &value.ones_like()?, self.epsilon, run.ctx.kernels())?;
        let output = normalized.broadcast_mul(value)?;
        self.weight.apply(&normalized, output, run)
    }
}
