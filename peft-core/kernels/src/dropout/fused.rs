//! Dropout as one operation on the CPU.

use candle_core::{Layout, Result, Tensor};

use super::Dropper;
use crate::operation::{Operation, gradient};
use crate::parallel;
use crate::values::values;
use crate::vectors::vectorized;

vectorized! {
    /// A copy of `x` with every element dropped or scaled.
    pub(crate) fn dropped(dropper: &Dropper, x: &[f32]) -> Vec<f32> {
        parallel::build(x.len(), parallel::TASK, |start, y| {
            for (y, x) in y.iter_mut().zip(parallel::tail(x, start)) {
                *y = *x;
            }
            dropper.apply(start, y);
        })
    }
}

impl Operation<1> for Dropper {
    const NAME: &'static str = "dropout";

    fn forward(&self, [x]: [&[f32]; 1], _first: &Layout) -> Result<Vec<f32>> {
        Ok(dropped(self, x))
    }

    fn backward(&self, [x]: [&Tensor; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([gradient(x, || Ok(dropped(self, &values(g)?)))?])
    }
}
