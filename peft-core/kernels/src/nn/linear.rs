//! The linear layer.

use candle_core::{Module, Result, Tensor};
use candle_nn::init::DEFAULT_KAIMING_NORMAL;
use candle_nn::{Init, VarBuilder};

use crate::bias::add_bias;
use crate::kernels::Kernels;

/// `y = x W^T + b`, or `x W^T`, for `x [.., d_in]`: [`linear`](fn@crate::linear) and [`add_bias`](fn@crate::add_bias) as a layer.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer with `weight [d_out, d_in]` and `bias [d_out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `W [d_out, d_in]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `b [d_out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = crate::linear(x, &self.weight, Kernels::Fused)?;
        match &self.bias {
            Some(bias) => add_bias(&y, bias, Kernels::Fused),
            None => Ok(y),
        }
    }
}

/// A layer with the weights `weight` and `bias`. New ones begin as candle-nn's.
///
/// # Errors
///
/// If `vb` does not have the weights.
pub fn linear(in_dim: usize, out_dim: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    let weight = vb.get_with_hints((out_dim, in_dim), "weight", DEFAULT_KAIMING_NORMAL)?;
    let bound = 1. / (in_dim as f64).sqrt();
    let bias = vb.get_with_hints(out_dim, "bias", Init::Uniform { lo: -bound, up: bound })?;
    Ok(Linear::new(weight, Some(bias)))
}

/// [`linear`] without a bias.
///
/// # Errors
///
/// As [`linear`].
pub fn linear_no_bias(in_dim: usize, out_dim: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    Ok(Linear::new(vb.get_with_hints((out_dim, in_dim), "weight", DEFAULT_KAIMING_NORMAL)?, None))
}

/// [`linear`] or [`linear_no_bias`].
///
/// # Errors
///
/// As [`linear`].
pub fn linear_b(in_dim: usize, out_dim: usize, bias: bool, vb: VarBuilder<'_>) -> Result<Linear> {
    if bias { linear(in_dim, out_dim, vb) } else { linear_no_bias(in_dim, out_dim, vb) }
}
