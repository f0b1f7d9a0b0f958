//! The bias of a linear map on a device.

use candle_core::{Result, Tensor};

use super::Bias;
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;
use crate::tensors::{sum_of_rows, wide};

/// Keeps nothing.
pub(super) struct OnDevice;

impl Composed<2> for OnDevice {
    const NAME: &'static str = <Bias as Operation<2>>::NAME;

    fn forward(&self, [x, b]: [&Tensor; 2]) -> Result<Tensor> {
        x.broadcast_add(b)
    }

    fn backward(
        &self,
        [_, b]: [&Tensor; 2],
        [of_x, of_b]: [bool; 2],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([of_x.then(|| g.clone()), if_wanted(of_b, || sum_of_rows(&wide(g)?)?.to_dtype(b.dtype()))?])
    }
}
