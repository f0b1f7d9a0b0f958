//! A gate: one number per sentence that scales a branch.

use candle_core::Tensor;
use peft_core::{Ctx, Result, rows};
use peft_kernels as ops;

/// The mean over tokens of `sigmoid(x wᵀ + b)`, `[batch, 1, 1]`, of `x: [batch, length, d]` with `w: [1, d]` and `b: [1]`.
///
/// As in AdapterHub, padding counts as tokens, and in step-by-step decoding the mean is over the step's tokens.
pub(crate) fn gate(x: &Tensor, weight: &Tensor, bias: &Tensor, ctx: &Ctx) -> Result<Tensor> {
    let logit = ops::linear(x, weight, ctx.kernels())?.broadcast_add(&rows::vector(bias)?)?;
    // sigmoid(z) = (1 + tanh(z / 2)) / 2, which never overflows.
    let open = ((((logit / 2.)?.tanh()? + 1.)?) / 2.)?;
    Ok(open.mean_keepdim(1)?)
}
