//! An activation as one operation.

use candle_core::{Layout, Result, Tensor};

use super::{Activation, Curve, with_curve};
use crate::operation::{Operation, gradient};
use crate::parallel::{TASK, build, tail};
use crate::values::values;
use crate::vectors::vectorized;

vectorized! {
    fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
        build(x.len(), TASK, |start, y| activation.apply(y, tail(x, start)))
    }

    fn backward(activation: Activation, x: &[f32], g: &[f32]) -> Vec<f32> {
        build(x.len(), TASK, |start, dx| {
            with_curve!(activation, C => {
                for ((dx, x), g) in dx.iter_mut().zip(tail(x, start)).zip(tail(g, start)) {
                    *dx = C::gradient(*x, *g);
                }
            });
        })
    }
}

impl Operation<1> for Activation {
    const NAME: &'static str = "activation";

    fn forward(&self, [x]: [&[f32]; 1], _first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(*self, x))
    }

    fn backward(&self, [x]: [&Tensor; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([gradient(x, || Ok(backward(*self, &values(x)?, &values(g)?)))?])
    }
}
