//! The linear maps by candle's own products, on any device, with the gradients that are wanted and no others.

use candle_core::{DType, Result, Tensor};

use super::dims::{Dims, is_bf16_only, output_dims};
use crate::dropout::{Dropper, dropped_on_device};
use crate::graph::{Composed, composed1, composed2, composed3, if_wanted};
use crate::tensors::above_zero;

/// `x W^T`. With a `bf16` weight and an `f32` input, the product is `bf16`, and the result `f32`.
pub(crate) fn product(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    if is_bf16_only(x, w) {
        return product(&x.to_dtype(DType::BF16)?, w)?.to_dtype(DType::F32);
    }
    if w.rank() == 3 {
        return x.contiguous()?.matmul(&w.t()?);
    }
    let Dims { rows, d_in, .. } = Dims::of(x, w)?;
    x.reshape((rows, d_in))?.matmul(&w.t()?)?.reshape(output_dims(x.dims(), w.dims()))
}

/// `dY W`, for a result with gradient `g`.
pub(crate) fn input_gradient(g: &Tensor, w: &Tensor) -> Result<Tensor> {
    product(g, &w.transpose(w.rank().saturating_sub(2), w.rank().saturating_sub(1))?)
}

/// `dY^T X`, for a weight of shape `w`.
pub(crate) fn weight_gradient(g: &Tensor, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let Dims { batch, rows, d_in, d_out } = Dims::of(x, w)?;
    let (g, x) = (g.reshape((batch, rows, d_out))?, x.reshape((batch, rows, d_in))?);
    g.t()?.matmul(&x)?.reshape(w.shape())
}

/// `x W^T` by any device.
pub(super) fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let w = w.contiguous()?;
    match w.track_op() {
        true => composed2(Map, x, &w),
        false => composed1(FrozenMap(w), x),
    }
}

/// `x W^T` with both in the graph.
struct Map;

impl Composed<2> for Map {
    const NAME: &'static str = "linear";

    fn forward(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        product(x, w)
    }

    fn backward(
        &self,
        [x, w]: [&Tensor; 2],
        wanted: [bool; 2],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let [dx, dw] = wanted;
        Ok([if_wanted(dx, || input_gradient(g, w))?, if_wanted(dw, || weight_gradient(g, x, w))?])
    }
}

/// `x W^T` with a frozen weight.
struct FrozenMap(Tensor);

impl Composed<1> for FrozenMap {
    const NAME: &'static str = "linear";

    fn forward(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        product(x, &self.0)
    }

    fn backward(&self, _: [&Tensor; 1], [wanted]: [bool; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([if_wanted(wanted, || input_gradient(g, &self.0))?])
    }
}

/// `x W^T + s · Dropout(x) A^T B^T` with a frozen weight. The backward pass computes `Dropout(x)` and `Dropout(x) A^T` again.
pub(super) struct LowRankMap {
    pub(super) w: Tensor,
    pub(super) scaling: f64,
    pub(super) dropper: Option<Dropper>,
}

impl LowRankMap {
    pub(super) fn apply(self, [x, a, b]: [&Tensor; 3]) -> Result<Tensor> {
        composed3(self, x, a, b)
    }

    fn dropped(&self, x: &Tensor) -> Result<Tensor> {
        self.dropper.as_ref().map_or_else(|| Ok(x.clone()), |dropper| dropped_on_device(dropper, x))
    }
}

impl Composed<3> for LowRankMap {
    const NAME: &'static str = "linear_low_rank";

    fn forward(&self, [x, a, b]: [&Tensor; 3]) -> Result<Tensor> {
        let low = (product(&self.dropped(x)?, a)? * self.scaling)?;
        product(x, &self.w)? + product(&low, b)?
    }

    /// With `d_low = s · dY B`: `dA = d_low^T Dropout(x)`, `dB = dY^T low` and `dX = dY W + Dropout(d_low A)`.
    fn backward(
        &self,
        [x, a, b]: [&Tensor; 3],
        wanted: [bool; 3],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let [dx, da, db] = wanted;
        let dropped = if da || db { Some(self.dropped(x)?) } else { None };
        let d_low = (input_gradient(g, b)? * self.scaling)?;
        let db = match &dropped {
            Some(x) if db => Some(weight_gradient(g, &(product(x, a)? * self.scaling)?, b)?),
            _ => None,
        };
        let da = match &dropped {
            Some(x) if da => Some(weight_gradient(&d_low, x, a)?),
            _ => None,
        };
        let dx = if_wanted(dx, || input_gradient(g, &self.w)? + self.dropped(&input_gradient(&d_low, a)?)?)?;
        Ok([dx, da, db])
    }
}

/// `Dropout(max(x W_in^T, 0)) W_out^T` with frozen weights. It keeps the input of the second map, which also tells the backward pass what
/// ReLU and dropout let through.
pub(super) struct FrozenNetwork {
    w_in: Tensor,
    w_out: Tensor,
    inner: Tensor,
    /// The factor of an element that was kept.
    scale: f64,
}

impl FrozenNetwork {
    pub(super) fn apply(x: &Tensor, [w_in, w_out]: [&Tensor; 2], dropper: Option<&Dropper>) -> Result<Tensor> {
        let active = product(&x.detach(), w_in)?.relu()?;
        let inner = dropper.map_or_else(|| Ok(active.clone()), |dropper| dropped_on_device(dropper, &active))?;
        let scale = dropper.map_or(1., |dropper| f64::from(dropper.scale()));
        composed1(Self { w_in: w_in.clone(), w_out: w_out.clone(), inner, scale }, x)
    }
}

impl Composed<1> for FrozenNetwork {
    const NAME: &'static str = "feed_forward";

    fn forward(&self, _: [&Tensor; 1]) -> Result<Tensor> {
        product(&self.inner, &self.w_out)
    }

    fn backward(&self, _: [&Tensor; 1], [wanted]: [bool; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let dx = || {
            let passed = (input_gradient(g, &self.w_out)? * above_zero(&self.inner)?)?;
            input_gradient(&(passed * self.scale)?, &self.w_in)
        };
        Ok([if_wanted(wanted, dx)?])
    }
}
