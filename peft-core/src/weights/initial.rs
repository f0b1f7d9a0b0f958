//! Seeded initial values.

use candle_core::{Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::init::NormalOrUniform;
use peft_kernels::transfer;

use super::moments::kaiming;
use crate::Result;
use crate::rng::Stream;

/// The initial value of a variable: element `i` is number `i` of `stream`.
///
/// # Errors
/// If the tensor cannot be made.
pub fn initial(stream: Stream, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
    let (n, dims) = (shape.elem_count() as u64, shape.dims());
    let normal = |mean: f64, stdev: f64| (0..n).map(|i| (mean + stdev * stream.normal(i)) as f32).collect();
    let uniform = |lo: f64, up: f64| (0..n).map(|i| (lo + (up - lo) * stream.uniform(i)) as f32).collect();
    let values: Vec<f32> = match init {
        Init::Const(value) => vec![value as f32; n as usize],
        Init::Randn { mean, stdev } => normal(mean, stdev),
        Init::Uniform { lo, up } => uniform(lo, up),
        Init::Kaiming { dist, fan, non_linearity } => {
            let std = kaiming(fan, non_linearity, dims);
            match dist {
                NormalOrUniform::Normal => normal(0., std),
                NormalOrUniform::Uniform => uniform(-std * 3f64.sqrt(), std * 3f64.sqrt()),
            }
        }
    };
    Ok(transfer::upload(values, shape.clone(), device)?)
}
