//! Differentiable building blocks that candle lacks, or has slow or without a backward pass.
//!
//! Every operation exists twice: `xxx_plain`, a composition of candle's own operations that is the
//! specification (any device, any float type, gradients by candle's autograd), and a fused version for
//! `f32` on the CPU ([`embedding`] has none: candle's is the faster one). [`Kernels`] says which one runs; it is
//! an argument, never a global.
//!
//! Three promises hold for all of them:
//!
//! * gradients reach every tracked argument, and no untracked one;
//! * the bytes of every result are the same for any number of threads;
//! * dropout is a function of its [`DropoutKey`] and the element's index: no mask is ever stored.

mod activation;
mod attention;
mod bottleneck;
mod cross_entropy;
mod dropout;
mod embedding;
mod gemm;
mod int8;
mod kernels;
mod layer_norm;
mod linear;
mod math;
mod packed_attention;
mod parallel;
mod precise;
mod residual;
mod rms_norm;
mod row_blocks;
mod softmax;
mod values;
mod vectors;

#[cfg(test)]
mod testing;

pub use activation::{Activation, gelu_tanh, gelu_tanh_plain, relu, relu_plain};
pub use attention::{attention, attention_plain};
pub use bottleneck::{Bottleneck, BottleneckNorm, bottleneck, bottleneck_plain};
pub use cross_entropy::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy, smoothed_cross_entropy_plain};
pub use dropout::{DropoutKey, dropout, dropout_plain};
pub use embedding::{embedding, embedding_plain};
pub use int8::{INT8_TRAILER, dequantize, quantize, quantize_row, quantized_dims};
pub use kernels::Kernels;
pub use layer_norm::{layer_norm, layer_norm_plain};
pub use linear::{
    LowRank, feed_forward, feed_forward_plain, linear, linear_low_rank, linear_low_rank_plain, linear_plain,
};
pub use math::softmax_row;
pub use packed_attention::{
    OffsetBias, PackedAttention, PackedBias, PackedKeys, TokenPosition, TokenPositions, packed_attention,
    packed_attention_plain,
};
pub use residual::{residual, residual_plain};
pub use rms_norm::{rms_norm, rms_norm_plain};
pub use softmax::{softmax, softmax_plain};
