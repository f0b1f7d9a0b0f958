//! The adapter on a device.

use candle_core::{Result, Tensor};

use super::fused::{FusedBottleneck, Sizes};
use crate::dropout::dropped_on_device;
use crate::graph::{Composed, if_wanted};
use crate::layer_norm::{LayerNorm, layer_norm_on_device, row_gradients};
use crate::linear::device::{input_gradient, product, weight_gradient};
use crate::operation::Operation;
use crate::tensors::{sum_of_rows, wide};

/// The adapter as an operation on `h`, `y` and the concatenated weights. It keeps these only: its backward pass computes the adapter again.
pub(super) struct OnDevice(pub(super) FusedBottleneck);

/// The weights, as views of one tensor.
struct Weights {
    down: Tensor,
    down_bias: Tensor,
    up: Tensor,
    up_bias: Tensor,
    /// `gamma` and `beta`, with a layer norm.
    norm: Option<(Tensor, Tensor)>,
}

impl OnDevice {
    fn weights(&self, all: &Tensor) -> Result<Weights> {
        let Sizes { d, m } = self.0.sizes;
        let mut start = 0;
        let mut next = |len: usize| {
            let part = all.narrow(0, start, len);
            start += len;
            part
        };
        Ok(Weights {
            down: next(m * d)?.reshape((m, d))?,
            down_bias: next(m)?,
            up: next(d * m)?.reshape((d, m))?,
            up_bias: next(d)?,
            norm: if self.0.norm.is_some() { Some((next(d)?, next(d)?)) } else { None },
        })
    }

    fn dropped(&self, x: Tensor) -> Result<Tensor> {
        match &self.0.dropper {
            Some(dropper) => dropped_on_device(dropper, &x),
            None => Ok(x),
        }
    }

    /// `W_down y + b_down`, `f` of it, and `W_up f + b_up`.
    fn project(&self, y: &Tensor, w: &Weights) -> Result<(Tensor, Tensor, Tensor)> {
        let low = product(y, &w.down)?.broadcast_add(&w.down_bias)?;
        let active = self.0.activation.value_on_device(&low)?;
        let high = product(&active, &w.up)?.broadcast_add(&w.up_bias)?;
        Ok((low, active, high))
    }

    fn eps(&self) -> f64 {
        self.0.norm.as_ref().map_or(0., |norm| norm.eps)
    }
}

impl Composed<3> for OnDevice {
    const NAME: &'static str = <FusedBottleneck as Operation<3>>::NAME;

    fn forward(&self, [h, y, weights]: [&Tensor; 3]) -> Result<Tensor> {
        let w = self.weights(weights)?;
        let (_, _, high) = self.project(y, &w)?;
        let high = match &w.norm {
            Some((gamma, beta)) => layer_norm_on_device(&high, &LayerNorm { gamma, beta, eps: self.eps() })?,
            None => high,
        };
        h + self.dropped((y + high)?)?
    }

    fn backward(
        &self,
        [_, y, weights]: [&Tensor; 3],
        [of_h, of_y, of_weights]: [bool; 3],
        _out: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let (dtype, dh) = (y.dtype(), of_h.then(|| g.clone()));
        if !(of_y || of_weights) {
            return Ok([dh, None, None]);
        }
        let w = self.weights(weights)?;
        let (low, active, high) = self.project(y, &w)?;
        let g = self.dropped(g.clone())?;
        let (d_high, d_norm) = match &w.norm {
            Some((gamma, _)) => {
                let (normed, gradient) = row_gradients(&high, self.eps())?;
                let wide_g = wide(&g)?;
                let d_high = gradient(&wide_g.broadcast_mul(&wide(gamma)?)?)?.to_dtype(dtype)?;
                (d_high, Some([sum_of_rows(&(&wide_g * normed)?)?, sum_of_rows(&wide_g)?]))
            }
            None => (g.clone(), None),
        };
        let d_low = self.0.activation.gradient_on_device(&low, &input_gradient(&d_high, &w.up)?)?;
        let d_weights = || {
            let down = weight_gradient(&d_low, y, &w.down)?.flatten_all()?;
            let up = weight_gradient(&d_high, &active, &w.up)?.flatten_all()?;
            let mut parts = vec![down, sum_of_rows(&wide(&d_low)?)?, up, sum_of_rows(&wide(&d_high)?)?];
            parts.extend(d_norm.into_iter().flatten());
            let parts: Vec<Tensor> = parts.iter().map(|part| part.to_dtype(dtype)).collect::<Result<_>>()?;
            Tensor::cat(&parts, 0)
        };
        let dy = || &g + input_gradient(&d_low, &w.down)?;
        Ok([dh, if_wanted(of_y, dy)?, if_wanted(of_weights, d_weights)?])
    }
}
