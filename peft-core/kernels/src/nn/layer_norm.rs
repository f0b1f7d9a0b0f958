//! Layer norm and RMS norm.

use candle_core::{Module, Result, Tensor};
pub use candle_nn::LayerNormConfig;
use candle_nn::{Init, VarBuilder};

use super::wide::in_f32;
use crate::bias::add_bias;
use crate::kernels::Kernels;

/// Layer norm, or with `remove_mean` off RMS norm, over the last dimension: [`layer_norm`](fn@crate::layer_norm) and
/// [`rms_norm`](fn@crate::rms_norm) as a layer. The bias is optional.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Option<Tensor>,
    remove_mean: bool,
    eps: f64,
}

impl LayerNorm {
    /// Layer norm with `weight` and `bias` `[d]`.
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Self {
        Self { weight, bias: Some(bias), remove_mean: true, eps }
    }

    /// Layer norm without a bias.
    pub fn new_no_bias(weight: Tensor, eps: f64) -> Self {
        Self { weight, bias: None, remove_mean: true, eps }
    }

    /// RMS norm.
    pub fn rms_norm(weight: Tensor, eps: f64) -> Self {
        Self { weight, bias: None, remove_mean: false, eps }
    }

    /// The scale, `[d]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The shift, `[d]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// The number that is added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// Whether the mean is subtracted.
    pub fn remove_mean(&self) -> bool {
        self.remove_mean
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match (&self.bias, self.remove_mean) {
            (Some(bias), true) => layer_norm_of(x, &self.weight, bias, self.eps),
            (None, true) => layer_norm_of(x, &self.weight, &self.weight.zeros_like()?, self.eps),
            (None, false) => rms_norm_of(x, &self.weight, self.eps),
            (Some(bias), false) => add_bias(&rms_norm_of(x, &self.weight, self.eps)?, bias, Kernels::Fused),
        }
    }
}

pub(super) fn layer_norm_of(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    in_f32([x, gamma, beta], |[x, gamma, beta]| {
        crate::layer_norm(x, &crate::LayerNorm { gamma, beta, eps }, Kernels::Fused)
    })
}

pub(super) fn rms_norm_of(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    in_f32([x, weight], |[x, weight]| crate::rms_norm(x, weight, eps, Kernels::Fused))
}

/// A layer with the weights `weight` and, if `config` is affine, `bias`. Older checkpoints call them `gamma` and `beta`. New ones
/// begin as 1 and 0.
///
/// # Errors
///
/// If `vb` does not have the weights.
pub fn layer_norm<C: Into<LayerNormConfig>>(size: usize, config: C, vb: VarBuilder<'_>) -> Result<LayerNorm> {
    let LayerNormConfig { eps, remove_mean, affine } = config.into();
    let name = |new, old| if !vb.contains_tensor(new) && vb.contains_tensor(old) { old } else { new };
    let weight = vb.get_with_hints(size, name("weight", "gamma"), Init::Const(1.))?;
    let bias = affine.then(|| vb.get_with_hints(size, name("bias", "beta"), Init::Const(0.))).transpose()?;
    Ok(LayerNorm { weight, bias, remove_mean, eps })
}

/// [`layer_norm`] without a bias.
///
/// # Errors
///
/// As [`layer_norm`].
pub fn layer_norm_no_bias(size: usize, eps: f64, vb: VarBuilder<'_>) -> Result<LayerNorm> {
    layer_norm(size, LayerNormConfig { eps, remove_mean: true, affine: false }, vb)
}

/// RMS norm over the last dimension.
#[derive(Clone, Debug)]
pub struct RmsNorm(LayerNorm);

impl RmsNorm {
    /// RMS norm with `weight [d]`.
    pub fn new(weight: Tensor, eps: f64) -> Self {
        Self(LayerNorm::rms_norm(weight, eps))
    }

    /// The norm as a [`LayerNorm`] that does not subtract the mean.
    pub fn into_inner(self) -> LayerNorm {
        self.0
    }

    /// The scale, `[d]`.
    pub fn weight(&self) -> &Tensor {
        self.0.weight()
    }

    /// The number that is added to the mean of squares.
    pub fn eps(&self) -> f64 {
        self.0.eps()
    }

    /// The same as `forward`, which has a gradient here.
    ///
    /// # Errors
    ///
    /// If `x` has another width.
    pub fn forward_diff(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x)
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }
}

/// RMS norm with the weight `weight`, which begins as 1.
///
/// # Errors
///
/// As [`layer_norm`].
pub fn rms_norm(size: usize, eps: f64, vb: VarBuilder<'_>) -> Result<RmsNorm> {
    Ok(RmsNorm(layer_norm(size, LayerNormConfig { eps, remove_mean: false, affine: false }, vb)?))
}
