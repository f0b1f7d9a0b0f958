//! Layer norm on a device.

use candle_core::{D, DType, Result, Tensor};

use super::{LayerNorm, RowNorm, layer_norm_plain};
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;
use crate::tensors::{sum_of_rows, wide};

/// The norm of every row without a gradient, by candle's kernel where it has one for these shapes and this type.
pub(crate) fn layer_norm_on_device(x: &Tensor, norm: &LayerNorm<'_>) -> Result<Tensor> {
    let LayerNorm { gamma, beta, eps } = *norm;
    let (x, gamma, beta) = (x.detach(), gamma.detach(), beta.detach());
    if x.dtype() == DType::F64 || gamma.rank() != 1 {
        return layer_norm_plain(&x, &LayerNorm { gamma: &gamma, beta: &beta, eps });
    }
    candle_nn::ops::layer_norm(&x.contiguous()?, &gamma.contiguous()?, &beta.contiguous()?, eps as f32)
}

/// The normalized rows of `x`, and what turns their gradient `h` into the gradient of `x`. In `f32` at least.
///
/// With `n` the normalized row and means over the row: `dx = (h - mean(h) - n mean(h n)) / root`.
pub(crate) fn row_gradients(x: &Tensor, eps: f64) -> Result<(Tensor, impl Fn(&Tensor) -> Result<Tensor>)> {
    let x = wide(&x.detach())?;
    let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let r = (centered.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
    let normed = centered.broadcast_mul(&r)?;
    let gradient = {
        let normed = normed.clone();
        move |h: &Tensor| {
            let along = normed.broadcast_mul(&(h * &normed)?.mean_keepdim(D::Minus1)?)?;
            (h.broadcast_sub(&h.mean_keepdim(D::Minus1)?)? - along)?.broadcast_mul(&r)
        }
    };
    Ok((normed, gradient))
}

/// Keeps its arguments only.
pub(super) struct OnDevice(pub(super) RowNorm);

impl Composed<3> for OnDevice {
    const NAME: &'static str = <RowNorm as Operation<3>>::NAME;

    fn forward(&self, [x, gamma, beta]: [&Tensor; 3]) -> Result<Tensor> {
        layer_norm_on_device(x, &LayerNorm { gamma, beta, eps: self.0.eps })
    }

    /// `dgamma` and `dbeta` are sums of `g n` and `g` over the rows that share a pair.
    fn backward(
        &self,
        [x, gamma, _]: [&Tensor; 3],
        [of_x, of_gamma, of_beta]: [bool; 3],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let (dtype, g, scale) = (x.dtype(), wide(g)?, wide(gamma)?);
        let shared = scale.rank() == 1;
        let scale = if shared { scale } else { scale.unsqueeze(1)? };
        let sum = |x: &Tensor| if shared { sum_of_rows(x) } else { x.sum(1) }?.to_dtype(dtype);
        let (normed, gradient) = row_gradients(x, self.0.eps)?;
        Ok([
            if_wanted(of_x, || gradient(&g.broadcast_mul(&scale)?)?.to_dtype(dtype))?,
            if_wanted(of_gamma, || sum(&(&g * &normed)?))?,
            if_wanted(of_beta, || sum(&g))?,
        ])
    }
}
