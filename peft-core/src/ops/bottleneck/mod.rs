//! A bottleneck adapter around which the hidden state flows on, as one operation (Houlsby et al. 2019, arXiv 1902.00751;
//! with the layer norm of HyperFormer, Karimi Mahabadi et al. 2021, arXiv 2106.04489).

mod fused;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use candle_core::{D, Result, Tensor, bail};

use self::fused::{Adapter, Sizes};
use super::{Activation, Kernels, gelu_tanh_plain, layer_norm, layer_norm_plain, linear, linear_plain, relu_plain};

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

/// The layer norm behind a bottleneck adapter, as in [`layer_norm`].
#[derive(Debug, Clone, Copy)]
pub struct BottleneckNorm<'a> {
    /// `gamma [d]`.
    pub gamma: &'a Tensor,
    /// `beta [d]`.
    pub beta: &'a Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// `y = x + LN(W_up f(W_down x + b_down) + b_up)`.
///
/// `x [.., d]` gives `[.., d]`. Gradients reach `x` and all weights where they are tracked. The fused version saves its
/// arguments and a copy of the weights side by side, and computes what lies between once more in the backward pass.
///
/// # Errors
///
/// If the shapes do not fit.
pub fn bottleneck(x: &Tensor, adapter: &Bottleneck<'_>, kernels: Kernels) -> Result<Tensor> {
    let sizes = check_shapes(x, adapter)?;
    let weights = adapter.weights();
    if !kernels.fused_for(&weights) || !kernels.fused_for(&[x]) {
        return composed(x, adapter, kernels);
    }
    // A custom operation has three arguments at most.
    let flat = weights.iter().map(|w| w.flatten_all()).collect::<Result<Vec<_>>>()?;
    let op = Adapter::new(sizes, adapter.activation, adapter.norm.map(|norm| norm.eps));
    x.contiguous()?.apply_op2(&Tensor::cat(&flat, 0)?, op)
}

/// [`bottleneck`] by candle's own operations.
///
/// # Errors
///
/// As [`bottleneck`].
pub fn bottleneck_plain(x: &Tensor, adapter: &Bottleneck<'_>) -> Result<Tensor> {
    check_shapes(x, adapter)?;
    let z = linear_plain(x, adapter.down)?.broadcast_add(adapter.down_bias)?;
    let z = match adapter.activation {
        Activation::Relu => relu_plain(&z)?,
        Activation::GeluTanh => gelu_tanh_plain(&z)?,
    };
    let z = linear_plain(&z, adapter.up)?.broadcast_add(adapter.up_bias)?;
    match adapter.norm {
        Some(BottleneckNorm { gamma, beta, eps }) => x + layer_norm_plain(&z, gamma, beta, eps)?,
        None => x + z,
    }
}

/// The same by the operations of this module, each for itself.
fn composed(x: &Tensor, adapter: &Bottleneck<'_>, kernels: Kernels) -> Result<Tensor> {
    let z = linear(x, adapter.down, kernels)?.broadcast_add(adapter.down_bias)?;
    let z = adapter.activation.forward(&z, kernels)?;
    let z = linear(&z, adapter.up, kernels)?.broadcast_add(adapter.up_bias)?;
    match adapter.norm {
        Some(BottleneckNorm { gamma, beta, eps }) => x + layer_norm(&z, gamma, beta, eps, kernels)?,
        None => x + z,
    }
}

impl Bottleneck<'_> {
    /// In the order in which they lie side by side.
    fn weights(&self) -> Vec<&Tensor> {
        let norm = self.norm.iter().flat_map(|norm| [norm.gamma, norm.beta]);
        [self.down, self.down_bias, self.up, self.up_bias].into_iter().chain(norm).collect()
    }
}

fn check_shapes(x: &Tensor, adapter: &Bottleneck<'_>) -> Result<Sizes> {
    let d = x.dim(D::Minus1)?;
    let m = adapter.down_bias.elem_count();
    let expected: [&[usize]; 6] = [&[m, d], &[m], &[d, m], &[d], &[d], &[d]];
    for (weight, expected) in adapter.weights().iter().zip(expected) {
        if weight.dims() != expected {
            bail!(
                "bottleneck: a weight {:?} where {expected:?} was expected, for x {:?} and a bottleneck of {m}",
                weight.dims(),
                x.dims()
            );
        }
    }
    Ok(Sizes { d, m })
}
