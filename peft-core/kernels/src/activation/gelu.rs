//! GELU, exact.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

use candle_core::{Result, Tensor};

use super::{Activation, Curve};
use crate::kernels::Kernels;
use crate::precise::precisely;

/// `y = x Φ(x)` for every element of `x`, which may have any shape, with `Φ(x) = (1 + erf(x / sqrt(2))) / 2`: GELU without an
/// approximation (Hendrycks and Gimpel 2016, arXiv 1606.08415), called `gelu` in transformers.
///
/// The gradient reaches `x` if it is tracked. The fused version saves its argument only. Its values and slopes have the precision of
/// `f32` for every `x`: it does not compute `1 + erf`, which is a difference of nearly equal numbers where `x` is negative.
///
/// # Errors
///
/// Only those of the device.
pub fn gelu(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    Activation::Gelu.forward(x, kernels)
}

/// [`gelu`], composed of candle's own operations.
///
/// It is not `Tensor::gelu_erf`, because the gradient of that operation has a constant of six digits, 0.398942.
///
/// # Errors
///
/// As [`gelu`].
pub fn gelu_plain(x: &Tensor) -> Result<Tensor> {
    precisely([x], |[x]| {
        let gate = (&x * FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?;
        x * gate
    })
}

pub(crate) struct Gelu;

impl Curve for Gelu {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        let x = f64::from(x);
        (x * normal(x).0) as f32
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        let x = f64::from(x);
        let (below, bell) = normal(x);
        (below + x * bell) as f32
    }
}

/// `1 / sqrt(2 pi)`.
pub(super) const BELL: f64 = 0.398_942_280_401_432_7;
/// With `t = 1 / (1 + SHRINK x)`, `Φ(-x) = e^(-x^2 / 2) t P(t)` for `x >= 0`. `P` interpolates at Chebyshev's points of `[0, 1]`; its
/// relative error is 2e-9. Coefficients from the highest to the lowest.
const SHRINK: f64 = 0.31;
const P: [f64; 12] = [
    0.014_382_362_469_765_696,
    -0.082_449_354_855_602_59,
    0.185_568_154_127_070_1,
    -0.192_958_885_251_396_5,
    0.086_057_485_462_890_88,
    -0.043_640_503_687_703_46,
    0.031_456_465_609_630_925,
    0.054_302_581_139_692_24,
    0.088_157_071_616_980_87,
    0.111_780_271_116_857_45,
    0.123_672_246_480_232_13,
    0.123_672_106_444_141_14,
];

/// `Φ(x)` and its derivative, the density of the normal distribution.
///
/// The function is smooth in `f64`, and rounding it to `f32` once costs less than a split of the exponent into two `f32`.
#[inline(always)]
fn normal(x: f64) -> (f64, f64) {
    let bell = bell(x);
    let t = 1.0 / (1.0 + SHRINK * x.abs());
    let mut p = 0.0;
    for c in P {
        p = p * t + c;
    }
    let tail = bell * t * p;
    (if x < 0.0 { tail } else { 1.0 - tail }, BELL * bell)
}

/// `1.5 * 2^52`. Adding it rounds a number to an integer, which is then in the low bits of the sum.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// The exponent bits of 1.0.
const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
/// Below this exponent the result is 0 as an `f32`.
const LEAST: f64 = -700.0;

/// `e^(-x^2 / 2)` with a relative error of 1e-9 at most. It has no branches, as [`exp`](crate::math::exp).
#[inline(always)]
fn bell(x: f64) -> f64 {
    let exponent = (-0.5 * x * x).max(LEAST);
    let rounded = exponent * LOG2_E + ROUND;
    let r = exponent - (rounded - ROUND) * LN_2;
    // Taylor's series up to r^9 / 9!, for |r| <= ln 2 / 2.
    let mut series = 1.0;
    for n in [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        series = series * r * (1.0 / n) + 1.0;
    }
    series * f64::from_bits((rounded.to_bits() << 52).wrapping_add(ONE_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Φ(x)` in `f64`: the series of `erf` near 0, and the continued fraction of `erfc` in the tails.
    fn exact(x: f64) -> f64 {
        let z = x.abs() * FRAC_1_SQRT_2;
        let tail = if z < 2.0 {
            let (mut term, mut sum) = (z, z);
            for n in 1..80 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            0.5 - sum / std::f64::consts::PI.sqrt()
        } else {
            let mut fraction = z;
            for n in (1..200).rev() {
                fraction = z + f64::from(n) / 2.0 / fraction;
            }
            (-z * z).exp() / fraction / (2.0 * std::f64::consts::PI.sqrt())
        };
        if x < 0.0 { tail } else { 1.0 - tail }
    }

    #[test]
    fn values_are_exact_to_f32_also_in_the_negative_tail() {
        let mut worst = (0.0f64, 0.0f64);
        for i in -120_000..=120_000 {
            let x = i as f32 * 1e-4;
            let wide = f64::from(x);
            let value = wide * exact(wide);
            let slope = exact(wide) + wide * BELL * (-0.5 * wide * wide).exp();
            if x != 0.0 {
                worst.0 = worst.0.max(((f64::from(Gelu::value(x)) - value) / value).abs());
            }
            worst.1 = worst.1.max((f64::from(Gelu::slope(x)) - slope).abs());
        }
        println!("gelu: worst relative error {:.2e}, worst error of the slope {:.2e}", worst.0, worst.1);
        assert!(worst.0 < 1e-7 && worst.1 < 1e-7, "{worst:?}");
    }
}
