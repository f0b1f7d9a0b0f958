//! The gate on a device.

use candle_core::{Result, Tensor};

use super::Gate;
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;

/// Keeps its arguments only: the backward pass applies the function again.
pub(super) struct OnDevice(pub(super) Gate);

impl Composed<2> for OnDevice {
    const NAME: &'static str = <Gate as Operation<2>>::NAME;

    fn forward(&self, [gate, up]: [&Tensor; 2]) -> Result<Tensor> {
        self.0.0.value_on_device(gate)? * up
    }

    /// `g ⊙ up ⊙ f'(gate)` and `g ⊙ f(gate)`.
    fn backward(
        &self,
        [gate, up]: [&Tensor; 2],
        [of_gate, of_up]: [bool; 2],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let d_gate = || self.0.0.gradient_on_device(gate, &(g * up)?);
        Ok([if_wanted(of_gate, d_gate)?, if_wanted(of_up, || g * self.0.0.value_on_device(gate)?)?])
    }
}
