//! A gate: one number for each sentence, which scales what an adapter adds.

use candle_core::Tensor;
use candle_nn::ops::sigmoid;
use peft_core::{Ctx, Result, rows};
use peft_kernels as ops;

/// The gates of each row: `mean over positions of sigmoid(x wᵀ + b)`, `[batch, 1, gates]`, for
/// `x [batch, length, d]`, `w [gates, d]` and `b [gates]` (UniPELT: Mao et al. 2022, arXiv 2110.07577, section 3.2).
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn gate(x: &Tensor, weight: &Tensor, bias: &Tensor, ctx: &Ctx) -> Result<Tensor> {
    let logits = ops::linear(x, weight, ctx.kernels())?.broadcast_add(&rows::vector(bias)?)?;
    Ok(sigmoid(&logits)?.mean_keepdim(1)?)
}
