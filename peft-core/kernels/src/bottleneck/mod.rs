//! A residual connection with a bottleneck adapter, as one operation.

mod device;
mod fused;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use candle_core::{D, Result, Tensor, bail};

use self::fused::{FusedBottleneck, Sizes};
use crate::activation::Activation;
use crate::dropout::{DropoutKey, Dropper};
use crate::graph::composed3;
use crate::kernels::{Kernels, Path};
use crate::layer_norm::{LayerNorm, RowNorm, layer_norm_plain};
use crate::linear::linear_plain;
use crate::operation::Fused;
use crate::residual::residual_plain;

/// A bottleneck adapter, and the dropout of the residual connection that it is part of.
#[derive(Debug, Clone, Copy)]
pub struct Bottleneck<'a> {
    /// `W_down [m, d]`.
    pub down: &'a Tensor,
    /// `b_down [m]`.
    pub down_bias: &'a Tensor,
    /// `f`, the function between the projections.
    pub activation: Activation,
    /// `W_up [d, m]`.
    pub up: &'a Tensor,
    /// `b_up [d]`.
    pub up_bias: &'a Tensor,
    /// `LN`, the layer norm of the adapter's output, with `gamma` and `beta` `[d]`. `None` is the identity.
    pub norm: Option<LayerNorm<'a>>,
    /// The dropout of what is added to `h`. It belongs to the backbone, not to the adapter. `None` drops nothing.
    pub dropout: Option<DropoutKey>,
}

/// `h + Dropout(y + LN(W_up f(W_down y + b_down) + b_up))`: the residual stream `h` after a sub-layer with output `y` and an
/// adapter on this output (adapter: Houlsby et al. 2019, arXiv 1902.00751; with the layer norm: Karimi Mahabadi et al. 2021,
/// arXiv 2106.04489).
///
/// `h` and `y` have the same shape, `[.., d]`, which is the result's. Gradients reach `h`, `y` and the weights if they are
/// tracked. The fused version saves its arguments and a copy of the weights; its backward pass computes the adapter again.
///
/// # Errors
///
/// If the shapes do not fit, or the dropout's `p` is not in `[0, 1)`.
pub fn bottleneck(h: &Tensor, y: &Tensor, adapter: &Bottleneck<'_>, kernels: Kernels) -> Result<Tensor> {
    let sizes = check_shapes(h, y, adapter)?;
    let weights = adapter.weights();
    let all: Vec<&Tensor> = [h, y].into_iter().chain(weights.iter().copied()).collect();
    let path = kernels.path_for(&all);
    if path == Path::Plain {
        return bottleneck_plain(h, y, adapter);
    }
    // A custom operation has three arguments at most, so the weights are one of them.
    let flat = weights.iter().map(|w| w.flatten_all()).collect::<Result<Vec<_>>>()?;
    let norm = adapter.norm.map(|norm| RowNorm { eps: norm.eps });
    let dropper = Dropper::of(adapter.dropout)?;
    let op = FusedBottleneck { sizes, activation: adapter.activation, norm, dropper };
    let weights = Tensor::cat(&flat, 0)?;
    match path {
        Path::Device => composed3(device::OnDevice(op), h, y, &weights),
        _ => h.contiguous()?.apply_op3(&y.contiguous()?, &weights, Fused(op)),
    }
}

/// [`bottleneck`](fn@bottleneck), composed of candle's own operations.
///
/// # Errors
///
/// As [`bottleneck`](fn@bottleneck).
pub fn bottleneck_plain(h: &Tensor, y: &Tensor, adapter: &Bottleneck<'_>) -> Result<Tensor> {
    check_shapes(h, y, adapter)?;
    let z = linear_plain(y, adapter.down)?.broadcast_add(adapter.down_bias)?;
    let z = adapter.activation.forward(&z, Kernels::Plain)?;
    let z = linear_plain(&z, adapter.up)?.broadcast_add(adapter.up_bias)?;
    let z = match adapter.norm {
        Some(norm) => layer_norm_plain(&z, &norm)?,
        None => z,
    };
    residual_plain(h, &(y + z)?, adapter.dropout)
}

impl Bottleneck<'_> {
    /// All weights, in the order in which the fused operation takes them.
    fn weights(&self) -> Vec<&Tensor> {
        let norm = self.norm.iter().flat_map(|norm| [norm.gamma, norm.beta]);
        [self.down, self.down_bias, self.up, self.up_bias].into_iter().chain(norm).collect()
    }
}

fn check_shapes(h: &Tensor, y: &Tensor, adapter: &Bottleneck<'_>) -> Result<Sizes> {
    if h.dims() != y.dims() {
        bail!("bottleneck: h {:?} and y {:?} must have the same shape", h.dims(), y.dims());
    }
    let d = y.dim(D::Minus1)?;
    let m = adapter.down_bias.elem_count();
    let expected: [&[usize]; 6] = [&[m, d], &[m], &[d, m], &[d], &[d], &[d]];
    for (weight, expected) in adapter.weights().iter().zip(expected) {
        if weight.dims() != expected {
            bail!(
                "bottleneck: expected a weight {expected:?} for y {:?} and a width of {m}, got {:?}",
                y.dims(),
                weight.dims()
            );
        }
    }
    Ok(Sizes { d, m })
}
