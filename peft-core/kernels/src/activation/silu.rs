//! SiLU, which is also called swish.

use candle_core::{Result, Tensor};

use super::{Activation, Curve};
use crate::kernels::Kernels;
use crate::math::exp;
use crate::precise::precisely;

/// `y = x sigmoid(x)` for every element of `x`, which may have any shape (Hendrycks and Gimpel 2016, arXiv 1606.08415).
///
/// The gradient reaches `x` if it is tracked. The fused version saves its argument only.
///
/// # Errors
///
/// Only those of the device.
pub fn silu(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    Activation::Silu.forward(x, kernels)
}

/// [`silu`], composed of candle's own operations.
///
/// # Errors
///
/// As [`silu`].
pub fn silu_plain(x: &Tensor) -> Result<Tensor> {
    precisely([x], |[x]| x.silu())
}

pub(crate) struct Silu;

/// `sigmoid(x)` and `1 - sigmoid(x)`, each without cancellation.
#[inline(always)]
fn gates(x: f32) -> (f32, f32) {
    let e = exp(-x.abs());
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    if x < 0.0 { (small, large) } else { (large, small) }
}

impl Curve for Silu {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        x * gates(x).0
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        let (open, closed) = gates(x);
        open + x * open * closed
    }
}
