//! Rotary position embeddings on a device.

use candle_core::{Result, Tensor};

use super::{Rotary, RotaryLayout, RotaryPairs, Rotation, rotary_plain};
use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;

/// Rotation by constant angles. It keeps its arguments only: its backward pass rotates back.
pub(super) struct OnDevice {
    pub(super) pairs: RotaryPairs,
    pub(super) layout: RotaryLayout,
}

impl Composed<3> for OnDevice {
    const NAME: &'static str = <Rotation as Operation<3>>::NAME;

    fn forward(&self, [x, cos, sin]: [&Tensor; 3]) -> Result<Tensor> {
        rotary_plain(x, &Rotary { cos, sin, pairs: self.pairs, layout: self.layout })
    }

    fn backward(
        &self,
        [_, cos, sin]: [&Tensor; 3],
        [wanted, ..]: [bool; 3],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dx = || rotary_plain(g, &Rotary { cos, sin: &sin.neg()?, pairs: self.pairs, layout: self.layout });
        Ok([if_wanted(wanted, dx)?, None, None])
    }
}
