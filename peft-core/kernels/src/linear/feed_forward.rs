//! Two frozen linear maps with ReLU and dropout between them, as one operation.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::frozen::Frozen;
use super::{Dims, linear, linear_plain, weight_dims};
use crate::dropout::Dropper;
use crate::parallel::{TASK, for_each_chunk, tail};
use crate::values::{argument, output, tensor, values};
use crate::vectors::vectorized;
use crate::{Activation, DropoutKey, Kernels, dropout, dropout_plain, relu, relu_plain};

/// `y = Dropout(max(x W_in^T, 0)) W_out^T`; `key = None` drops nothing.
///
/// `x [.., d]`, `w_in [d_ff, d]` and `w_out [d_out, d_ff]` give `[.., d_out]`. Gradients reach all that is tracked. Where
/// both weights are frozen the fused version saves what enters the second map alone: what is above zero there has the
/// gradient's `1 / (1 - p)`, the rest none.
///
/// # Errors
///
/// If the shapes do not fit, or as [`linear`] and [`dropout`](crate::dropout).
pub fn feed_forward(
    x: &Tensor,
    w_in: &Tensor,
    w_out: &Tensor,
    key: Option<DropoutKey>,
    kernels: Kernels,
) -> Result<Tensor> {
    let into = Dims::of(x, w_in)?;
    let [d_out, d_ff] = *weight_dims(w_out)? else { bail!("feed_forward: w_out {:?} is no matrix", w_out.dims()) };
    if d_ff != into.d_out {
        bail!("feed_forward: w_in {:?} and w_out {:?} do not fit", w_in.dims(), w_out.dims());
    }
    let out = Dims { d_in: d_ff, d_out, ..into };
    let frozen = (Frozen::new(x, w_in, into, kernels)?, Frozen::new(x, w_out, out, kernels)?);
    let (Some(into), Some(out)) = frozen else {
        let z = relu(&linear(x, w_in, kernels)?, kernels)?;
        let z = key.map_or_else(|| Ok(z.clone()), |key| dropout(&z, key, kernels))?;
        return linear(&z, w_out, kernels);
    };
    let dropper = key.filter(|key| key.p != 0.0).map(Dropper::new).transpose()?;
    let x = x.contiguous()?;
    let mut inner = into.forward(&values(&x)?)?;
    activate(&mut inner, dropper.as_ref());
    x.apply_op1(FeedForward { into, out, inner, scale: dropper.as_ref().map_or(1.0, Dropper::scale) })
}

/// [`feed_forward`] by candle's own operations.
///
/// # Errors
///
/// As [`feed_forward`].
pub fn feed_forward_plain(x: &Tensor, w_in: &Tensor, w_out: &Tensor, key: Option<DropoutKey>) -> Result<Tensor> {
    let z = relu_plain(&linear_plain(x, w_in)?)?;
    let z = key.map_or_else(|| Ok(z.clone()), |key| dropout_plain(&z, key))?;
    linear_plain(&z, w_out)
}

vectorized! {
    /// `Dropout(max(z, 0))`, in place.
    fn activate(z: &mut [f32], dropper: Option<&Dropper>) {
        for_each_chunk(z, TASK, |start, z| {
            for z in z.iter_mut() {
                *z = Activation::Relu.value(*z);
            }
            if let Some(dropper) = dropper {
                dropper.apply(start, z);
            }
        });
    }

    /// The gradient of its argument in place of that of its result `inner`.
    fn activate_backward(d: &mut [f32], inner: &[f32], scale: f32) {
        for_each_chunk(d, TASK, |start, d| {
            for (d, inner) in d.iter_mut().zip(tail(inner, start)) {
                *d = if *inner > 0.0 { *d * scale } else { 0.0 };
            }
        });
    }
}

/// What enters the second map is known before the operation enters the graph.
struct FeedForward {
    into: Frozen,
    out: Frozen,
    /// `Dropout(max(x W_in^T, 0))`.
    inner: Vec<f32>,
    /// What a kept element was multiplied by.
    scale: f32,
}

impl CustomOp1 for FeedForward {
    fn name(&self) -> &'static str {
        "feed_forward"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        argument(storage, layout)?;
        Ok(output(self.out.forward(&self.inner)?, self.out.output_dims(layout.dims())))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let g = g.contiguous()?;
        let mut d_inner = self.out.input_gradient(&values(&g)?)?;
        activate_backward(&mut d_inner, &self.inner, self.scale);
        tensor(self.into.input_gradient(&d_inner)?, x.shape()).map(Some)
    }
}
