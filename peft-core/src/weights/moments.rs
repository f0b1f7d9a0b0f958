//! The mean and the standard deviation of an initial value.

use candle_nn::Init;
use candle_nn::init::{FanInOut, NonLinearity};

/// The mean and the standard deviation of the elements of a tensor of shape `dims` that starts at `init`.
///
/// ```
/// let (mean, std) = peft_core::moments(peft_core::KAIMING_UNIFORM, &[8, 768]); // uniform in ±1/√768
/// assert_eq!(mean, 0.);
/// assert!((std - 0.0208).abs() < 1e-4);
/// ```
pub fn moments(init: Init, dims: &[usize]) -> (f64, f64) {
    match init {
        Init::Const(value) => (value, 0.),
        Init::Randn { mean, stdev } => (mean, stdev),
        Init::Uniform { lo, up } => ((lo + up) / 2., (up - lo) / 12f64.sqrt()),
        Init::Kaiming { fan, non_linearity, .. } => (0., kaiming(fan, non_linearity, dims)),
    }
}

/// The standard deviation of Kaiming's initial values.
pub(super) fn kaiming(fan: FanInOut, non_linearity: NonLinearity, dims: &[usize]) -> f64 {
    gain(non_linearity) / fan_of(fan, dims).sqrt()
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
