//! The tanh approximation of GELU.

use candle_core::{Result, Tensor};

use super::{Activation, Curve};
use crate::kernels::Kernels;
use crate::math::exp;
use crate::precise::precisely;

/// `sqrt(2 / pi)`.
pub(super) const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh approximation of GELU.
pub(super) const CUBIC: f64 = 0.044_715;
/// `2 sqrt(2 / pi)`, the factor of `x` in the exponent of GELU's sigmoid, and the factor of `x^3`.
const LINEAR: f32 = (2.0 * SQRT_2_OVER_PI) as f32;
const CUBE: f32 = (2.0 * SQRT_2_OVER_PI * CUBIC) as f32;

/// `y = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` for every element of `x`, which may have any shape: the tanh
/// approximation of GELU (Hendrycks and Gimpel 2016, arXiv 1606.08415), called `gelu_new` in transformers.
///
/// The gradient reaches `x` if it is tracked. The fused version saves its argument only, and computes the equal
/// `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`.
///
/// # Errors
///
/// Only those of the device.
pub fn gelu_tanh(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    Activation::GeluTanh.forward(x, kernels)
}

/// [`gelu_tanh`], composed of candle's own operations.
///
/// # Errors
///
/// As [`gelu_tanh`].
pub fn gelu_tanh_plain(x: &Tensor) -> Result<Tensor> {
    precisely([x], |[x]| {
        let inner = ((&x + (x.sqr()? * &x)?.affine(CUBIC, 0.)?)? * SQRT_2_OVER_PI)?;
        x * inner.tanh()?.affine(0.5, 0.5)?
    })
}

pub(crate) struct GeluTanh;

/// `sigmoid(2 u) = (1 + tanh(u)) / 2` at `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn gate(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x * (LINEAR + CUBE * x * x)))
}

impl Curve for GeluTanh {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        x * gate(x)
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        let gate = gate(x);
        let slope = LINEAR + 3.0 * CUBE * x * x;
        // If the gate is saturated and the slope overflows, their product must be 0, not NaN.
        let bend = gate * (1.0 - gate);
        gate + if bend > 0.0 { x * bend * slope } else { 0.0 }
    }
}
