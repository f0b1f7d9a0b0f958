//! A bottleneck adapter and the residual sum behind it, as one operation (Houlsby et al. 2019, arXiv 1902.00751;
//! with the layer norm of HyperFormer, Karimi Mahabadi et al. 2021, arXiv 2106.04489).

mod fused;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use candle_core::{D, Result, Tensor, bail};

use self::fused::{AdapterCheckpoint, Sizes};
use super::dropout::Dropper;
use super::layer_norm::LayerNorm;
use super::{
    Activation, DropoutKey, Kernels, gelu_tanh_plain, layer_norm_plain, linear_plain, relu_plain, residual_plain,
};

/// The weights of a bottleneck adapter.
#[derive(Debug, Clone, Copy)]
pub struct Bottleneck<'a> {
    /// `W_down [m, d]`.
    pub down: &'a Tensor,
    /// `b_down [m]`.
    pub down_bias: &'a Tensor,
    /// The function between the projections.
    pub activation: Activation,
    /// `W_up [d, m]`.
    pub up: &'a Tensor,
    /// `b_up [d]`.
    pub up_bias: &'a Tensor,
    /// The layer norm behind; `None`: none.
    pub norm: Option<BottleneckNorm<'a>>,
}

/// The layer norm behind a bottleneck adapter, as in [`layer_norm`](fn@super::layer_norm).
#[derive(Debug, Clone, Copy)]
pub struct BottleneckNorm<'a> {
    /// `gamma [d]`.
    pub gamma: &'a Tensor,
    /// `beta [d]`.
    pub beta: &'a Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// `h + Dropout(y + LN(W_up f(W_down y + b_down) + b_up))`: the residual stream `h` behind a sub-layer with output `y`.
///
/// `h` and `y` have one shape, `[.., d]`, which is the result's; `key = None` drops nothing. Gradients reach both and all
/// weights where they are tracked. The fused version saves its arguments and a copy of the weights side by side, and
/// computes what lies between once more in the backward pass.
///
/// # Errors
///
/// If the shapes do not fit, or as [`dropout`](crate::dropout).
pub fn bottleneck(
    h: &Tensor,
    y: &Tensor,
    adapter: &Bottleneck<'_>,
    key: Option<DropoutKey>,
    kernels: Kernels,
) -> Result<Tensor> {
    let sizes = check_shapes(h, y, adapter)?;
    let weights = adapter.weights();
    if !kernels.fused_for(&weights) || !kernels.fused_for(&[h, y]) {
        return bottleneck_plain(h, y, adapter, key);
    }
    // A custom operation has three arguments at most.
    let flat = weights.iter().map(|w| w.flatten_all()).collect::<Result<Vec<_>>>()?;
    let norm = adapter.norm.map(|norm| LayerNorm { eps: norm.eps });
    let dropper = key.filter(|key| key.p != 0.0).map(Dropper::new).transpose()?;
    let op = AdapterCheckpoint { sizes, activation: adapter.activation, norm, dropper };
    h.contiguous()?.apply_op3(&y.contiguous()?, &Tensor::cat(&flat, 0)?, op)
}

/// [`bottleneck`] by candle's own operations.
///
/// # Errors
///
/// As [`bottleneck`].
pub fn bottleneck_plain(h: &Tensor, y: &Tensor, adapter: &Bottleneck<'_>, key: Option<DropoutKey>) -> Result<Tensor> {
    check_shapes(h, y, adapter)?;
    let z = linear_plain(y, adapter.down)?.broadcast_add(adapter.down_bias)?;
    let z = match adapter.activation {
        Activation::Relu => relu_plain(&z)?,
        Activation::GeluTanh => gelu_tanh_plain(&z)?,
    };
    let z = linear_plain(&z, adapter.up)?.broadcast_add(adapter.up_bias)?;
    let z = match adapter.norm {
        Some(BottleneckNorm { gamma, beta, eps }) => layer_norm_plain(&z, gamma, beta, eps)?,
        None => z,
    };
    residual_plain(h, &(y + z)?, key)
}

impl Bottleneck<'_> {
    /// In the order in which they lie side by side.
    fn weights(&self) -> Vec<&Tensor> {
        let norm = self.norm.iter().flat_map(|norm| [norm.gamma, norm.beta]);
        [self.down, self.down_bias, self.up, self.up_bias].into_iter().chain(norm).collect()
    }
}

fn check_shapes(h: &Tensor, y: &Tensor, adapter: &Bottleneck<'_>) -> Result<Sizes> {
    if h.dims() != y.dims() {
        bail!("bottleneck: h {:?} and y {:?} must have one shape", h.dims(), y.dims());
    }
    let d = y.dim(D::Minus1)?;
    let m = adapter.down_bias.elem_count();
    let expected: [&[usize]; 6] = [&[m, d], &[m], &[d, m], &[d], &[d], &[d]];
    for (weight, expected) in adapter.weights().iter().zip(expected) {
        if weight.dims() != expected {
            bail!(
                "bottleneck: a weight {:?} where {expected:?} was expected, for y {:?} and a bottleneck of {m}",
                weight.dims(),
                y.dims()
            );
        }
    }
    Ok(Sizes { d, m })
}
