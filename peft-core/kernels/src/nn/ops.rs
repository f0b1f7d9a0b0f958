//! Operations on tensors.

use candle_core::shape::Dim;
use candle_core::{D, Result, Tensor, bail};
pub use candle_nn::ops::{
    Dropout, Identity, dropout, hard_sigmoid, leaky_relu, log_softmax, mish, pixel_shuffle, pixel_unshuffle, selu,
    sigmoid,
};

use super::layer_norm::{layer_norm_of, rms_norm_of};
use super::wide::in_f32;
use crate::activation::Activation;
use crate::gated::gated;
use crate::kernels::Kernels;

/// Softmax over the last dimension.
///
/// # Errors
///
/// If `xs` is a scalar.
pub fn softmax_last_dim(xs: &Tensor) -> Result<Tensor> {
    in_f32([xs], |[xs]| crate::softmax(xs, Kernels::Fused))
}

/// Softmax over dimension `dim`.
///
/// # Errors
///
/// If `xs` does not have the dimension.
pub fn softmax<Axis: Dim>(xs: &Tensor, dim: Axis) -> Result<Tensor> {
    let dim = dim.to_index(xs.shape(), "softmax")?;
    if dim + 1 == xs.rank() {
        return softmax_last_dim(xs);
    }
    softmax_last_dim(&xs.transpose(dim, D::Minus1)?)?.transpose(dim, D::Minus1)?.contiguous()
}

/// `x sigmoid(x)` for every element.
///
/// # Errors
///
/// Only those of the device.
pub fn silu(xs: &Tensor) -> Result<Tensor> {
    crate::silu(xs, Kernels::Fused)
}

/// `silu(a) ⊙ b` with `a` and `b` the halves of the last dimension.
///
/// # Errors
///
/// If the last dimension is odd.
pub fn swiglu(xs: &Tensor) -> Result<Tensor> {
    match xs.chunk(2, D::Minus1)?.as_slice() {
        [gate, up] => gated(gate, up, Activation::Silu, Kernels::Fused),
        _ => bail!("swiglu: x {:?} has no two halves", xs.dims()),
    }
}

/// RMS norm over the last dimension with the scale `alpha [d]`.
///
/// # Errors
///
/// If `alpha` has another shape.
pub fn rms_norm(xs: &Tensor, alpha: &Tensor, eps: f32) -> Result<Tensor> {
    rms_norm_of(xs, alpha, f64::from(eps))
}

/// [`rms_norm`], which has a gradient here.
///
/// # Errors
///
/// As [`rms_norm`].
pub fn rms_norm_slow(x: &Tensor, alpha: &Tensor, eps: f32) -> Result<Tensor> {
    rms_norm(x, alpha, eps)
}

/// Layer norm over the last dimension with the scale `alpha [d]` and the shift `beta [d]`.
///
/// # Errors
///
/// If `alpha` or `beta` has another shape.
pub fn layer_norm(xs: &Tensor, alpha: &Tensor, beta: &Tensor, eps: f32) -> Result<Tensor> {
    layer_norm_of(xs, alpha, beta, f64::from(eps))
}

/// [`layer_norm`], which has a gradient here.
///
/// # Errors
///
/// As [`layer_norm`].
pub fn layer_norm_slow(x: &Tensor, alpha: &Tensor, beta: &Tensor, eps: f32) -> Result<Tensor> {
    layer_norm(x, alpha, beta, eps)
}
