//! Fast, differentiable operations for [candle](https://github.com/huggingface/candle): operations that candle lacks,
//! runs slowly, or runs without a backward pass.
//!
//! The crate is made for parameter-efficient fine-tuning, where most weights are frozen: it computes no gradient for a tensor
//! that does not train. It knows nothing of models or training loops. Module [`nn`] has the operations as layers under candle-nn's
//! names, for models that are written for candle-nn.
//!
//! ```
//! use candle_core::{DType, Device, Tensor, Var};
//! use peft_kernels::{Kernels, linear, rms_norm};
//!
//! let x = Var::from_tensor(&Tensor::randn(0f32, 1., (2, 8, 64), &Device::Cpu)?)?;
//! let (norm, w) = (Tensor::ones(64, DType::F32, &Device::Cpu)?, Tensor::randn(0f32, 0.1, (32, 64), &Device::Cpu)?);
//! let y = linear(&rms_norm(&x, &norm, 1e-6, Kernels::Fused)?, &w, Kernels::Fused)?;
//! let gradients = y.sqr()?.mean_all()?.backward()?;
//! assert!(gradients.get(&x).is_some(), "x is a variable");
//! assert!(gradients.get(&w).is_none(), "w is frozen: its gradient is never computed");
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! # Operations
//!
//! | operation | computes |
//! |---|---|
//! | [`linear`](fn@linear) | `x W^T`; the weight may be frozen, trained, one per example, `bf16`, or eight bits |
//! | [`linear_low_rank`] | `x W^T + s · Dropout(x) A^T B^T`: a linear map with LoRA |
//! | [`feed_forward`](fn@feed_forward) | `Dropout(max(x W_in^T, 0)) W_out^T` |
//! | [`add_bias`] | `x + b` for every row |
//! | [`gated`](fn@gated) | `f(gate) ⊙ up`, as in SwiGLU and GeGLU |
//! | [`attention`](fn@attention) | multi-head attention with grouped heads, a scale, an additive bias, a mask and dropout |
//! | [`rotary`](fn@rotary) | rotary position embeddings |
//! | [`packed_attention`](fn@packed_attention) | attention over sequences without padding, for decoding; no backward pass |
//! | [`bottleneck`](fn@bottleneck) | a residual connection with a bottleneck adapter |
//! | [`residual`](fn@residual) | `h + Dropout(y)` |
//! | [`layer_norm`](fn@layer_norm), [`rms_norm`](fn@rms_norm) | normalization over the last dimension |
//! | [`softmax`](fn@softmax), [`relu`], [`silu`], [`gelu`], [`gelu_tanh`] | softmax over the last dimension; activations |
//! | [`dropout`](fn@dropout) | dropout whose result depends on a key only |
//! | [`embedding`](fn@embedding) | row lookup |
//! | [`smoothed_cross_entropy`] | output projection and label-smoothed cross-entropy, without storing all logits |
//! | [`quantize`](fn@quantize), [`dequantize`] | a frozen weight in eight bits, for [`linear`](fn@linear); no backward pass |
//!
//! # Fused, on a device, and plain
//!
//! Almost every operation exists three times. `xxx_plain` is composed of candle's own operations: it is the specification, runs on
//! any device and float type, and gets its gradients from candle's autograd. The others are chosen by the argument [`Kernels`]; there
//! is no global switch.
//!
//! [`Kernels::Fused`] runs a fused operation for `f32` tensors on the CPU. (With an `f32` input there, [`linear`](fn@linear) and the loss
//! also take frozen `bf16` weights, and [`linear`](fn@linear) weights of eight bits.) For other types and devices it runs what
//! [`Kernels::Device`] runs.
//!
//! # What runs on a device
//!
//! [`Kernels::Device`] runs candle's operations with gradients of our own, on any device, the CPU too: so it is tested without a GPU. It
//! computes no gradient of a frozen tensor, and brings no value to or from the host ([`transfer`] counts). Products have the type of the
//! weight; the softmax of attention and the loss compute in `f32` for types of 16 bits, and so do the gradients of norms and activations.
//!
//! | operation | keeps for the backward pass | computes again there |
//! |---|---|---|
//! | [`linear`](fn@linear) | its arguments | nothing |
//! | [`linear_low_rank`], `w` frozen | its arguments | dropout of `x`, and the product with `A` |
//! | [`feed_forward`](fn@feed_forward), weights frozen | the input of the second map | nothing |
//! | [`bottleneck`](fn@bottleneck) | its arguments | the whole adapter, and dropout |
//! | [`attention`](fn@attention) | its arguments | scores, probabilities and dropout |
//! | [`smoothed_cross_entropy`] | the gradients, which it computes with the loss, 128 MiB of logits at a time | nothing |
//! | [`rms_norm`](fn@rms_norm), [`layer_norm`](fn@layer_norm) | their arguments | means and roots |
//! | [`softmax`](fn@softmax) | its result | nothing |
//! | activations, [`gated`](fn@gated) | their arguments | the activation |
//! | [`dropout`](fn@dropout), [`residual`](fn@residual) | nothing | the random bits |
//! | [`add_bias`], [`rotary`](fn@rotary) | nothing; the angles | nothing |
//! | [`embedding`](fn@embedding) | its arguments | nothing |
//!
//! "Nothing" means that the gradient needs nothing: candle's graph keeps the arguments of every operation all the same.
//!
//! Exceptions: [`packed_attention`](fn@packed_attention) uploads three tensors a call, [`dropout`](fn@dropout) its mask where the device
//! has no kernel for it. A weight of eight bits is for the CPU.
//!
//! # What holds for every operation
//!
//! * Gradients reach every tracked argument, and no other. (Packed attention and eight-bit weights have no gradients.)
//! * The bytes of a fused result do not depend on the number of threads.
//! * Dropout is a function of its [`DropoutKey`] and of an element's index. Only the plain version stores a mask.
//! * Arguments may be strided; an operation copies them where it needs contiguous memory.
//! * Shapes that do not fit are an error that names them. Nothing panics.
//!
//! # Features
//!
//! - `cuda`: candle on NVIDIA GPUs, and kernels of this crate's own. It needs a CUDA toolkit.
//! - `metal`: candle on Apple GPUs.
//! - `testing`: module `faults`, which breaks the gradient of one operation on purpose.
//!
//! # Unsafe code
//!
//! Unsafe code is denied, except in five places: matrix products (`gemm/`), buffers that are written before they are read
//! (`parallel.rs`), the entry into code compiled for wider vectors ([`vectorized!`]), and with the feature `cuda` the start of kernels
//! (`dropout/cuda.rs`) and devices of one stream (`cuda_device.rs`).

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod activation;
mod attention;
mod bias;
mod bottleneck;
mod cross_entropy;
mod cuda_device;
mod dropout;
mod embedding;
#[cfg(feature = "testing")]
pub mod faults;
mod gated;
mod gemm;
mod graph;
mod kernels;
mod layer_norm;
mod linear;
mod math;
pub mod nn;
mod operation;
mod packed_attention;
mod parallel;
mod precise;
#[allow(clippy::disallowed_methods, reason = "tensors of the CPU")]
mod quantize;
mod residual;
mod rms_norm;
mod rotary;
mod row_blocks;
mod softmax;
mod tensors;
#[allow(clippy::disallowed_methods, reason = "the calls that this module counts")]
pub mod transfer;
#[allow(clippy::disallowed_methods, reason = "tensors of the CPU")]
mod values;
mod vectors;

#[cfg(test)]
mod testing;

pub use activation::{Activation, gelu, gelu_plain, gelu_tanh, gelu_tanh_plain, relu, relu_plain, silu, silu_plain};
pub use attention::{Attention, attention, attention_plain};
pub use bias::{add_bias, add_bias_plain};
pub use bottleneck::{Bottleneck, bottleneck, bottleneck_plain};
pub use cross_entropy::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy, smoothed_cross_entropy_plain};
pub use cuda_device::cuda_device;
pub use dropout::{DropoutKey, dropout, dropout_plain};
pub use embedding::embedding;
pub use gated::{gated, gated_plain};
pub use kernels::Kernels;
pub use layer_norm::{LayerNorm, layer_norm, layer_norm_plain};
pub use linear::{
    FeedForward, LowRank, feed_forward, feed_forward_plain, linear, linear_low_rank, linear_low_rank_plain,
    linear_plain,
};
pub use math::softmax_row;
pub use packed_attention::{
    OffsetBias, PackedAttention, PackedBias, PackedKeys, TokenPosition, TokenPositions, packed_attention,
    packed_attention_plain,
};
pub use quantize::{INT8_TRAILER, dequantize, quantize, quantize_row, quantized_dims};
pub use residual::{residual, residual_plain};
pub use rms_norm::{rms_norm, rms_norm_plain};
pub use rotary::{Rotary, RotaryLayout, RotaryPairs, rotary, rotary_plain};
pub use softmax::{softmax, softmax_plain};
