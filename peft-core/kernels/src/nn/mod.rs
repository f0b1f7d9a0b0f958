//! Layers under candle-nn's names, with gradients.
//!
//! candle-nn's `layer_norm`, `rms_norm`, `softmax_last_dim` and `rope*` are operations without a backward pass: the gradient of a loss
//! ends there without an error, so what is below them does not train. The layers of this module have the names, the shapes of call,
//! the names of weights and the initial values of candle-nn's, and their gradients are right. To train a model written for candle-nn,
//! replace `candle_nn` in its imports:
//!
//! ```
//! use candle_core::{DType, Device, Module, Result, Tensor};
//! use peft_kernels::nn::{self as candle_nn, VarBuilder, VarMap};
//!
//! fn main() -> Result<()> {
//!     let variables = VarMap::new();
//!     let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
//!     let up = candle_nn::linear(8, 16, vb.pp("up"))?;
//!     let norm = candle_nn::layer_norm(16, 1e-5, vb.pp("norm"))?;
//!     let x = Tensor::ones((2, 8), DType::F32, &Device::Cpu)?;
//!     let y = candle_nn::ops::softmax_last_dim(&norm.forward(&up.forward(&x)?)?)?;
//!     let gradients = y.sqr()?.sum_all()?.backward()?;
//!     assert!(gradients.get(up.weight()).is_some(), "the weight is below a norm and a softmax");
//!     Ok(())
//! }
//! ```
//!
//! | here | in candle-nn |
//! |---|---|
//! | [`Linear`], [`linear`](fn@linear), [`linear_no_bias`], [`linear_b`] | trains, but computes the gradient of a frozen weight too |
//! | [`LayerNorm`], [`layer_norm`](fn@layer_norm), [`layer_norm_no_bias`] | cuts the gradient if there is a bias |
//! | [`RmsNorm`], [`rms_norm`] | cuts the gradient |
//! | [`Embedding`], [`embedding`](fn@embedding) | trains |
//! | [`ops::softmax_last_dim`], [`ops::layer_norm`], [`ops::rms_norm`] | cuts the gradient |
//! | [`ops::softmax`], [`ops::silu`], [`ops::swiglu`] | trains |
//! | [`rotary_emb::rope`], [`rotary_emb::rope_i`], [`rotary_emb::rope_thd`] | cuts the gradient |
//!
//! Everything else in this module is candle-nn's own, and trains. What candle-nn has and this module lacks either cuts the gradient
//! (flash attention on the CPU, key-value caches, `ops::sdpa`), has a wrong one (`Conv1d` of candle 0.11.1, for more than one example),
//! or has not been checked; a program that uses it does not compile.
//!
//! The layers compute with [`Kernels::Fused`](crate::Kernels::Fused): `f32` on the CPU is fast, and other types and devices run the
//! plain operations. As in candle-nn, norms and softmax of `f16` and `bf16` numbers are computed in `f32`. Arguments may be strided.

pub mod embedding;
pub mod layer_norm;
pub mod linear;
pub mod ops;
pub mod rotary_emb;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod wide;

pub use candle_nn::{
    Activation, AdamW, Conv2d, Conv2dConfig, Dropout, Func, FuncT, GroupNorm, Init, Module, ModuleT, Optimizer, PReLU,
    ParamsAdamW, SGD, Sequential, VarBuilder, VarMap, conv2d, conv2d_no_bias, func, func_t, group_norm, init, loss,
    optim, prelu, seq, var_builder, var_map,
};

pub use self::embedding::{Embedding, embedding};
pub use self::layer_norm::{LayerNorm, LayerNormConfig, RmsNorm, layer_norm, layer_norm_no_bias, rms_norm};
pub use self::linear::{Linear, linear, linear_b, linear_no_bias};
