//! The residual connection on a device.

use candle_core::{Result, Tensor};

use super::Residual;
use crate::dropout::dropped_on_device;
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;

/// Keeps nothing: the backward pass draws the dropout again.
pub(super) struct OnDevice(pub(super) Residual);

impl OnDevice {
    fn dropped(&self, y: &Tensor) -> Result<Tensor> {
        self.0.dropper.as_ref().map_or_else(|| Ok(y.clone()), |dropper| dropped_on_device(dropper, y))
    }
}

impl Composed<2> for OnDevice {
    const NAME: &'static str = <Residual as Operation<2>>::NAME;

    fn forward(&self, [h, y]: [&Tensor; 2]) -> Result<Tensor> {
        h + self.dropped(y)?
    }

    fn backward(
        &self,
        _: [&Tensor; 2],
        [of_h, of_y]: [bool; 2],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([of_h.then(|| g.clone()), if_wanted(of_y, || self.dropped(g))?])
    }
}
