//! An activation on a device, and its slope.

use std::f64::consts::FRAC_1_SQRT_2;

use candle_core::{Result, Tensor};

use super::Activation;
use super::gelu::BELL;
use super::gelu_tanh::{CUBIC, SQRT_2_OVER_PI};
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;
use crate::tensors::{above_zero, wide};

impl Activation {
    /// The function of every `x` by one of the device's own operations, without a gradient.
    pub(crate) fn value_on_device(self, x: &Tensor) -> Result<Tensor> {
        let x = x.detach();
        match self {
            Self::Relu => x.relu(),
            Self::GeluTanh => x.gelu(),
            Self::Gelu => x.gelu_erf(),
            Self::Silu => x.silu(),
        }
    }

    /// `g` times the derivative at `x`, in `x`'s type.
    pub(crate) fn gradient_on_device(self, x: &Tensor, g: &Tensor) -> Result<Tensor> {
        (wide(g)? * self.slope(&wide(&x.detach())?)?)?.to_dtype(x.dtype())
    }

    /// The derivative at every `x`.
    fn slope(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Relu => above_zero(x),
            Self::GeluTanh => {
                let square = x.sqr()?;
                let inner = (x * square.affine(SQRT_2_OVER_PI * CUBIC, SQRT_2_OVER_PI)?)?;
                let tanh = inner.tanh()?;
                let bend = (tanh.sqr()?.affine(-0.5, 0.5)? * x)?;
                let bent = (bend * square.affine(3. * SQRT_2_OVER_PI * CUBIC, SQRT_2_OVER_PI)?)?;
                bent + tanh.affine(0.5, 0.5)?
            }
            Self::Gelu => {
                let below = (x * FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?;
                below + (x * (x.sqr()? * -0.5)?.exp()?.affine(BELL, 0.)?)?
            }
            Self::Silu => {
                let open = candle_nn::ops::sigmoid(x)?;
                let bend = (x * open.affine(-1., 1.)?)?;
                &open * bend.affine(1., 1.)?
            }
        }
    }
}

/// Keeps its argument only.
pub(super) struct OnDevice(pub(super) Activation);

impl Composed<1> for OnDevice {
    const NAME: &'static str = <Activation as Operation<1>>::NAME;

    fn forward(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        self.0.value_on_device(x)
    }

    fn backward(&self, [x]: [&Tensor; 1], [wanted]: [bool; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([if_wanted(wanted, || self.0.gradient_on_device(x, g))?])
    }
}
