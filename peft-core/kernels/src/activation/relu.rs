//! ReLU.

use candle_core::{Result, Tensor};

use super::{Activation, Curve};
use crate::kernels::Kernels;

/// `y = max(x, 0)` for every element of `x`, which may have any shape.
///
/// The gradient reaches `x` if it is tracked, and is 0 where `x` is 0. NaN stays NaN. The fused version saves its argument only.
///
/// # Errors
///
/// Only those of the device.
pub fn relu(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    Activation::Relu.forward(x, kernels)
}

/// [`relu`], composed of candle's own operations.
///
/// # Errors
///
/// As [`relu`].
pub fn relu_plain(x: &Tensor) -> Result<Tensor> {
    x.relu()
}

pub(crate) struct Relu;

impl Curve for Relu {
    /// NaN fails the comparison and stays NaN, as in `Tensor::relu`.
    #[inline(always)]
    fn value(x: f32) -> f32 {
        if x < 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        f32::from(x > 0.0)
    }

    #[inline(always)]
    fn gradient(x: f32, g: f32) -> f32 {
        if x > 0.0 { g } else { 0.0 }
    }
}
