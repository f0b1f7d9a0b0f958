//! Softmax on a device.

use candle_core::{D, Result, Tensor};

use super::Softmax;
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;

/// The softmax of every row without a gradient, by candle's kernel.
pub(crate) fn softmax_on_device(x: &Tensor) -> Result<Tensor> {
    candle_nn::ops::softmax_last_dim(&x.detach().contiguous()?)
}

/// `y (g - sum(g y))`: the gradient of the argument, from the result `y` and its gradient `g`.
pub(crate) fn gradient_on_device(y: &Tensor, g: &Tensor) -> Result<Tensor> {
    y * g.broadcast_sub(&(g * y)?.sum_keepdim(D::Minus1)?)?
}

/// Keeps its result only.
pub(super) struct OnDevice;

impl Composed<1> for OnDevice {
    const NAME: &'static str = <Softmax as Operation<1>>::NAME;

    fn forward(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        softmax_on_device(x)
    }

    fn backward(&self, _: [&Tensor; 1], [wanted]: [bool; 1], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([if_wanted(wanted, || gradient_on_device(y, g))?])
    }
}
