//! The non-linearities of an adapter, under the names that AdapterHub gives them.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use candle_core::Tensor;
use candle_nn::ops::{leaky_relu, sigmoid};
use peft_core::Result;
use peft_kernels::{self as ops, Kernels};
use serde::{Deserialize, Serialize};

/// A non-linearity between the two projections of an adapter.
///
/// AdapterHub accepts every name of `transformers`. `prelu` and `xielu` are not supported, because they have weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonLinearity {
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²`.
    Relu2,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` above zero and `0.01 x` below.
    #[serde(alias = "leakyrelu")]
    LeakyRelu,
    /// `x · sigmoid(x)`, also called SiLU.
    #[serde(alias = "silu")]
    Swish,
    /// `x · Φ(x)` with the error function.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// [`Gelu`](Self::Gelu), cut off at −10 and 10.
    #[serde(rename = "gelu_10")]
    Gelu10,
    /// The tanh approximation of GELU: `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    #[serde(alias = "gelu_fast", alias = "gelu_accurate", alias = "gelu_pytorch_tanh", alias = "gelu_python_tanh")]
    GeluNew,
    /// `x · sigmoid(1.702 x)`.
    QuickGelu,
    /// `x · tanh(ln(1 + eˣ))`.
    Mish,
    /// The distribution function of a normal distribution with mean √½ and deviation 0.282095.
    Laplace,
    /// `tanh(x)`.
    Tanh,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `x`.
    Linear,
}

impl NonLinearity {
    /// The function, element by element.
    ///
    /// # Errors
    /// If the tensor operation fails.
    pub fn forward(self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        Ok(match self {
            Self::Relu => ops::relu(x, kernels)?,
            Self::Relu2 => ops::relu(x, kernels)?.sqr()?,
            Self::Relu6 => x.clamp(0., 6.)?,
            Self::LeakyRelu => leaky_relu(x, 0.01)?,
            Self::Swish => x.silu()?,
            Self::Gelu => x.gelu_erf()?,
            Self::Gelu10 => x.gelu_erf()?.clamp(-10., 10.)?,
            Self::GeluNew => ops::gelu_tanh(x, kernels)?,
            Self::QuickGelu => (x * sigmoid(&(x * 1.702)?)?)?,
            Self::Mish => (x * softplus(x)?.tanh()?)?,
            Self::Laplace => laplace(x)?,
            Self::Tanh => x.tanh()?,
            Self::Sigmoid => sigmoid(x)?,
            Self::Linear => x.clone(),
        })
    }

    /// The same function for fused operations; `None` where they do not have it.
    pub(crate) fn fused(self) -> Option<ops::Activation> {
        match self {
            Self::Relu => Some(ops::Activation::Relu),
            Self::GeluNew => Some(ops::Activation::GeluTanh),
            _ => None,
        }
    }
}

/// `ln(1 + eˣ)`, without overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let tail = (x.abs()?.neg()?.exp()? + 1.)?.log()?;
    Ok((x.relu()? + tail)?)
}

fn laplace(x: &Tensor) -> Result<Tensor> {
    let z = ((x - FRAC_1_SQRT_2)? / (0.282095 * SQRT_2))?;
    Ok(((z.erf()? + 1.)? * 0.5)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::{Device, Var};

    /// Name in AdapterHub, and the values at −1.5, 0.5 and 12 (PyTorch's, to six digits).
    const VALUES: [(&str, [f32; 3]); 15] = [
        ("relu", [0., 0.5, 12.]),
        ("relu2", [0., 0.25, 144.]),
        ("relu6", [0., 0.5, 6.]),
        ("leaky_relu", [-0.015, 0.5, 12.]),
        ("leakyrelu", [-0.015, 0.5, 12.]),
        ("swish", [-0.273_638, 0.311_23, 11.999_926]),
        ("silu", [-0.273_638, 0.311_23, 11.999_926]),
        ("gelu", [-0.100_211, 0.345_731, 12.]),
        ("gelu_10", [-0.100_211, 0.345_731, 10.]),
        ("gelu_new", [-0.100_428, 0.345_714, 12.]),
        ("gelu_fast", [-0.100_428, 0.345_714, 12.]),
        ("quick_gelu", [-0.108_338, 0.350_388, 12.]),
        ("mish", [-0.298_1, 0.375_245, 12.]),
        ("laplace", [0., 0.231_421, 1.]),
        ("sigmoid", [0.182_426, 0.622_459, 0.999_994]),
    ];

    #[test]
    fn functions_have_their_values_and_a_gradient() {
        for (name, expected) in VALUES {
            let function: NonLinearity = serde_json::from_value(name.into()).unwrap();
            for kernels in [Kernels::Plain, Kernels::default()] {
                let x = Var::new(&[-1.5f32, 0.5, 12.], &Device::Cpu).unwrap();
                let y = function.forward(x.as_tensor(), kernels).unwrap();
                for (found, expected) in y.to_vec1::<f32>().unwrap().into_iter().zip(expected) {
                    assert!((found - expected).abs() < 2e-6, "{name}: {found}, expected {expected}");
                }
                let grads = y.sum_all().unwrap().backward().unwrap();
                assert!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap().iter().all(|g| g.is_finite()), "{name}");
            }
        }
    }
}
