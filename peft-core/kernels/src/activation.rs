//! Element-wise activations: ReLU and the tanh approximation of GELU.

use candle_core::{Layout, Result, Tensor};

use crate::kernels::Kernels;
use crate::math::exp;
use crate::operation::{Fused, Operation, gradient};
use crate::parallel::{TASK, build, tail};
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;

/// `sqrt(2 / pi)`.
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh approximation of GELU.
const CUBIC: f64 = 0.044_715;
/// `2 sqrt(2 / pi)`, the factor of `x` in the exponent of GELU's sigmoid, and the factor of `x^3`.
const LINEAR: f32 = (2.0 * SQRT_2_OVER_PI) as f32;
const CUBE: f32 = (2.0 * SQRT_2_OVER_PI * CUBIC) as f32;

/// The activation function inside another operation, such as [`bottleneck`](fn@crate::bottleneck).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// [`relu`].
    Relu,
    /// [`gelu_tanh`].
    GeluTanh,
}

impl Activation {
    /// Applies the function to every element of `x`. The result has `x`'s shape; the gradient reaches `x` if it is tracked.
    ///
    /// # Errors
    ///
    /// Only those of the device.
    pub fn forward(self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        match self {
            Self::Relu => relu(x, kernels),
            Self::GeluTanh => gelu_tanh(x, kernels),
        }
    }

    #[inline(always)]
    pub(crate) fn value(self, x: f32) -> f32 {
        match self {
            Self::Relu => relu_value(x),
            Self::GeluTanh => x * gelu_gate(x),
        }
    }

    #[inline(always)]
    pub(crate) fn derivative(self, x: f32) -> f32 {
        match self {
            Self::Relu => f32::from(x > 0.0),
            Self::GeluTanh => gelu_derivative(x),
        }
    }
}

/// `y = max(x, 0)` for every element of `x`, which may have any shape.
///
/// The gradient reaches `x` if it is tracked, and is 0 where `x` is 0. NaN stays NaN. The fused version saves nothing for its
/// backward pass, which reads the result.
///
/// # Errors
///
/// Only those of the device.
pub fn relu(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    if !kernels.fused_for(&[x]) {
        return relu_plain(x);
    }
    x.contiguous()?.apply_op1(Fused(Activation::Relu))
}

/// [`relu`], composed of candle's own operations.
///
/// # Errors
///
/// As [`relu`].
pub fn relu_plain(x: &Tensor) -> Result<Tensor> {
    x.relu()
}

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
    if !kernels.fused_for(&[x]) {
        return gelu_tanh_plain(x);
    }
    x.contiguous()?.apply_op1(Fused(Activation::GeluTanh))
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

vectorized! {
    fn relu_forward(x: &[f32]) -> Vec<f32> {
        build(x.len(), TASK, |start, y| {
            for (y, x) in y.iter_mut().zip(tail(x, start)) {
                *y = relu_value(*x);
            }
        })
    }

    fn relu_backward(y: &[f32], g: &[f32]) -> Vec<f32> {
        build(y.len(), TASK, |start, dx| {
            for ((dx, y), g) in dx.iter_mut().zip(tail(y, start)).zip(tail(g, start)) {
                *dx = if *y > 0.0 { *g } else { 0.0 };
            }
        })
    }

    fn gelu_forward(x: &[f32]) -> Vec<f32> {
        build(x.len(), TASK, |start, y| {
            for (y, x) in y.iter_mut().zip(tail(x, start)) {
                *y = x * gelu_gate(*x);
            }
        })
    }

    fn gelu_backward(x: &[f32], g: &[f32]) -> Vec<f32> {
        build(x.len(), TASK, |start, dx| {
            for ((dx, x), g) in dx.iter_mut().zip(tail(x, start)).zip(tail(g, start)) {
                *dx = g * gelu_derivative(*x);
            }
        })
    }
}

/// [`relu`] of a number. NaN fails the comparison and stays NaN, as in `Tensor::relu`.
#[inline(always)]
fn relu_value(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `sigmoid(2 u) = (1 + tanh(u)) / 2` at `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn gelu_gate(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x * (LINEAR + CUBE * x * x)))
}

#[inline(always)]
fn gelu_derivative(x: f32) -> f32 {
    let gate = gelu_gate(x);
    let slope = LINEAR + 3.0 * CUBE * x * x;
    // If the gate is saturated and the slope overflows, their product must be 0, not NaN.
    let bend = gate * (1.0 - gate);
    gate + if bend > 0.0 { x * bend * slope } else { 0.0 }
}

impl Operation<1> for Activation {
    const NAME: &'static str = "activation";

    fn forward(&self, [x]: [&[f32]; 1], _first: &Layout) -> Result<Vec<f32>> {
        Ok(match self {
            Self::Relu => relu_forward(x),
            Self::GeluTanh => gelu_forward(x),
        })
    }

    fn backward(&self, [x]: [&Tensor; 1], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let dx = || match self {
            Self::Relu => Ok(relu_backward(&values(y)?, &values(g)?)),
            Self::GeluTanh => Ok(gelu_backward(&values(x)?, &values(g)?)),
        };
        Ok([gradient(x, dx)?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::Case;
    use candle_core::{Device, Var};

    fn gelu_case(dims: &[usize]) -> Case<'static> {
        Case::new(
            "gelu_tanh",
            &[dims],
            |t, kernels| gelu_tanh(&(&t[0] * 3.0)?, kernels),
            |t| gelu_tanh_plain(&(&t[0] * 3.0)?),
        )
    }

    fn relu_case(dims: &[usize]) -> Case<'static> {
        Case::new("relu", &[dims], |t, kernels| relu(&t[0], kernels), |t| relu_plain(&t[0]))
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for dims in [&[1][..], &[2, 7, 33], &[40_000]] {
            gelu_case(dims).agrees(1e-6);
            relu_case(dims).agrees(1e-6);
        }
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        gelu_case(&[2, 5]).matches_finite_differences();
        relu_case(&[2, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        gelu_case(&[40_001]).is_deterministic();
        relu_case(&[40_001]).is_deterministic();
    }

    #[test]
    fn the_tails_are_exact_and_finite() {
        let x = Var::new(&[-1e30f32, -50., 0., 50., 1e15], &Device::Cpu).unwrap();
        let y = gelu_tanh(&x, Kernels::Fused).unwrap();
        assert_eq!(y.to_vec1::<f32>().unwrap(), [0., 0., 0., 50., 1e15]);
        let grads = y.backward().unwrap();
        let dx = grads.get(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx, [0., 0., 0.5, 1., 1.]);
    }

    #[test]
    fn nan_is_not_hidden() {
        let x = candle_core::Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        for y in [relu(&x, Kernels::Fused), gelu_tanh(&x, Kernels::Fused)] {
            assert!(y.unwrap().to_vec1::<f32>().unwrap()[0].is_nan());
        }
    }
}
