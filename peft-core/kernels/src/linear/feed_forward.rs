//! Two linear maps with ReLU and dropout between them, as one operation.

use candle_core::{Layout, Result, Shape, Tensor, bail};

use super::device::FrozenNetwork;
use super::dims::{Dims, is_int8, weight_dims};
use super::frozen::Frozen;
use super::map::{linear, linear_plain};
use crate::activation::{Curve, Relu, relu, relu_plain};
use crate::dropout::{DropoutKey, Dropper, dropout_if_any};
use crate::kernels::{Kernels, Path};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel::{TASK, for_each_chunk, tail};
use crate::values::values;
use crate::vectors::vectorized;

/// The weights and the dropout of a [`feed_forward`](fn@crate::feed_forward) network.
#[derive(Debug, Clone, Copy)]
pub struct FeedForward<'a> {
    /// `W_in [d_ff, d]`, of any kind that [`linear`](fn@crate::linear) takes.
    pub w_in: &'a Tensor,
    /// `W_out [d_out, d_ff]`, of any kind that [`linear`](fn@crate::linear) takes.
    pub w_out: &'a Tensor,
    /// The dropout before the second map. `None` drops nothing.
    pub dropout: Option<DropoutKey>,
}

/// `y = Dropout(max(x W_in^T, 0)) W_out^T`: the feed-forward network of a transformer with ReLU and without biases.
///
/// `x [.., d]`, `W_in [d_ff, d]` and `W_out [d_out, d_ff]` give `[.., d_out]`. Gradients reach `x` and the weights if they are
/// tracked. The fused version runs if both weights are frozen. It saves the input of the second map only, which also tells the
/// backward pass what ReLU and dropout let through.
///
/// # Errors
///
/// If the shapes do not fit, or as [`linear`](fn@crate::linear) and [`dropout`](fn@crate::dropout).
pub fn feed_forward(x: &Tensor, network: &FeedForward<'_>, kernels: Kernels) -> Result<Tensor> {
    let FeedForward { w_in, w_out, dropout } = *network;
    let into = Dims::of(x, w_in)?;
    let [d_out, d_ff] = *weight_dims(w_out)? else { bail!("feed_forward: w_out {:?} is not a matrix", w_out.dims()) };
    if d_ff != into.d_out {
        bail!("feed_forward: w_in {:?} and w_out {:?} do not fit", w_in.dims(), w_out.dims());
    }
    let out = Dims { d_in: d_ff, d_out, ..into };
    let frozen = (Frozen::new(x, w_in, into, kernels)?, Frozen::new(x, w_out, out, kernels)?);
    let (Some(into), Some(out)) = frozen else {
        let trained = w_in.track_op() || w_out.track_op() || is_int8(w_in) || is_int8(w_out);
        if kernels.path_for(&[x]) == Path::Device && !trained {
            return FrozenNetwork::apply(
                x,
                [&w_in.contiguous()?, &w_out.contiguous()?],
                Dropper::of(dropout)?.as_ref(),
            );
        }
        let z = relu(&linear(x, w_in, kernels)?, kernels)?;
        return linear(&dropout_if_any(&z, dropout, kernels)?, w_out, kernels);
    };
    let dropper = Dropper::of(dropout)?;
    let x = x.contiguous()?;
    let mut inner = into.forward(&values(&x)?)?;
    activate(&mut inner, dropper.as_ref());
    let scale = dropper.as_ref().map_or(1.0, Dropper::scale);
    x.apply_op1(Fused(FrozenFeedForward { into, out, inner, scale }))
}

/// [`feed_forward`](fn@crate::feed_forward), composed of candle's own operations.
///
/// # Errors
///
/// As [`feed_forward`](fn@crate::feed_forward).
pub fn feed_forward_plain(x: &Tensor, network: &FeedForward<'_>) -> Result<Tensor> {
    let z = relu_plain(&linear_plain(x, network.w_in)?)?;
    linear_plain(&dropout_if_any(&z, network.dropout, Kernels::Plain)?, network.w_out)
}

vectorized! {
    /// `Dropout(max(z, 0))`, in place.
    fn activate(z: &mut [f32], dropper: Option<&Dropper>) {
        for_each_chunk(z, TASK, |start, z| {
            for z in z.iter_mut() {
                *z = Relu::value(*z);
            }
            if let Some(dropper) = dropper {
                dropper.apply(start, z);
            }
        });
    }

    /// Replaces `d`, the gradient of the result `inner` of [`activate`], by that of its argument.
    fn activate_backward(d: &mut [f32], inner: &[f32], scale: f32) {
        for_each_chunk(d, TASK, |start, d| {
            for (d, inner) in d.iter_mut().zip(tail(inner, start)) {
                *d = if *inner > 0.0 { *d * scale } else { 0.0 };
            }
        });
    }
}

/// The network with both weights frozen. The input of the second map is known before the operation enters the graph.
struct FrozenFeedForward {
    into: Frozen,
    out: Frozen,
    /// `Dropout(max(x W_in^T, 0))`.
    inner: Vec<f32>,
    /// The factor of an element that was kept.
    scale: f32,
}

impl Operation<1> for FrozenFeedForward {
    const NAME: &'static str = "feed_forward";

    fn forward(&self, _: [&[f32]; 1], _first: &Layout) -> Result<Vec<f32>> {
        self.out.forward(&self.inner)
    }

    fn backward(&self, [x]: [&Tensor; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let mut d_inner = self.out.input_gradient(&values(g)?)?;
        activate_backward(&mut d_inner, &self.inner, self.scale);
        Ok([gradient(x, || self.into.input_gradient(&d_inner))?])
    }

    fn shape(&self, first: &Shape) -> Shape {
        self.out.output_shape(first)
    }
}
