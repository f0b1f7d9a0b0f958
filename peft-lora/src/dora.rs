//! DoRA: magnitude and direction are learned separately.

use candle_core::{D, Tensor};
use candle_nn::init::ZERO;
use peft_core::{Ctx, Error, ParamSpec, PeftModule, Result, SiteCall, rows};
use peft_kernels as ops;

use crate::lora::Lora;

/// The name of the increment of the magnitudes, relative to the site.
pub(crate) const MAGNITUDE_DELTA: &str = "lora_magnitude_vector.delta";

/// `y = x (m ⊙ V / ‖V‖)ᵀ` with `V = W + s B A` and `m = ‖W‖ + δ`, norms over rows.
#[derive(Debug)]
pub(crate) struct Dora {
    lora: Lora,
    /// Whether `‖V‖` is a constant in the backward pass, as the paper proposes (section 4.3).
    holds_norm: bool,
}

/// `‖·‖` of each row of `[.., d_out, d_in]`, `[.., d_out]`.
pub(crate) fn row_norms(weight: &Tensor) -> Result<Tensor> {
    Ok(weight.sqr()?.sum(D::Minus1)?.sqrt()?)
}

impl Dora {
    pub(crate) fn new(lora: Lora) -> Self {
        Self { lora, holds_norm: true }
    }

    /// `m / ‖V‖`, `[d_out]` or `[batch, d_out]`.
    fn scale(&self, weights: &[Tensor; 3], base: &Tensor) -> Result<Tensor> {
        let [a, b, delta] = weights;
        let hold = |tensor: &Tensor| if self.holds_norm { tensor.detach() } else { tensor.clone() };
        let change = (hold(b).matmul(&hold(a))? * self.lora.scaling)?;
        let norms = row_norms(&change.broadcast_add(&hold(base))?)?;
        let magnitude = delta.broadcast_add(&row_norms(&hold(base))?)?;
        Ok(magnitude.broadcast_div(&norms)?)
    }
}

impl PeftModule for Dora {
    fn params(&self) -> Vec<ParamSpec> {
        let mut params = self.lora.pair().to_vec();
        params.push(ParamSpec::new(MAGNITUDE_DELTA, [self.lora.d_out], ZERO));
        params.extend(self.lora.biases.params(self.lora.d_out));
        params
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let weights @ [a, b, _] = peft_core::take(self.lora.biases.split(call.weights).0)?;
        let base = call.base.ok_or_else(|| Error::Mismatch("DoRA needs the weight of its linear map".into()))?;
        // A frozen weight may be bf16 while the computation is f32.
        let wide = base.to_dtype(call.output.dtype())?;
        let scale = rows::vector(&self.scale(weights, &wide)?)?;
        let x = ctx.dropout(call.input, self.lora.dropout)?;
        let branch = self.lora.branch(&x, a, b, ctx)?;
        // With dropout, the backbone's part of the change is computed from the dropped input, as in `peft`.
        let own = match ctx.is_training() && self.lora.dropout > 0. {
            true => ops::linear(&x, base, ctx.kernels())?,
            false => call.output.clone(),
        };
        let change = (own.broadcast_mul(&(&scale - 1.)?)? + branch.broadcast_mul(&scale)?)?;
        Ok((call.output + change)?)
    }

    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let weights @ [a, b, _] = peft_core::take(self.lora.biases.split(weights).0)?;
        let scale = self.scale(weights, base)?.unsqueeze(1)?;
        let direction = ((b.matmul(a)? * self.lora.scaling)? + base)?;
        Ok(Some((direction.broadcast_mul(&scale)? - base)?))
    }

    /// The bias is not rescaled.
    fn delta_bias(&self, weights: &[Tensor], _bias: &Tensor) -> Result<Option<Tensor>> {
        self.lora.biases.delta(weights, self.lora.scaling)
    }

    fn dropout(&self) -> f64 {
        self.lora.dropout
    }

    fn make_gradients_exact(&mut self) -> bool {
        std::mem::replace(&mut self.holds_norm, false)
    }
}
