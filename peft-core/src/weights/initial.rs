//! Seeded initial values.

use candle_core::{Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};

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
            let std = gain(non_linearity) / fan_of(fan, dims).sqrt();
            match dist {
                NormalOrUniform::Normal => normal(0., std),
                NormalOrUniform::Uniform => uniform(-std * 3f64.sqrt(), std * 3f64.sqrt()),
            }
        }
    };
    Ok(Tensor::from_vec(values, shape, device)?)
}

fn fan_of(fan: FanInOut, dims: &[usize]) -> f64 {
    let receptive: usize = dims.iter().skip(2).product();
    let features = match fan {
        FanInOut::FanIn => dims.get(1).or(dims.first()),
        FanInOut::FanOut => dims.first(),
    };
    (features.copied().unwrap_or(1) * receptive) as f64
}

/// The gains of PyTorch's `calculate_gain`.
fn gain(non_linearity: NonLinearity) -> f64 {
    match non_linearity {
        NonLinearity::ReLU => std::f64::consts::SQRT_2,
        NonLinearity::Tanh => 5. / 3.,
        NonLinearity::SELU => 0.75,
        NonLinearity::Linear | NonLinearity::Sigmoid => 1.,
        NonLinearity::ExplicitGain(gain) => gain,
    }
}
