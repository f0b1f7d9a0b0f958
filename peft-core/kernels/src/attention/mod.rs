//! Multi-head attention on `[batch, length, heads * d_head]`, without transposed copies.
//!
//! | file | is |
//! |---|---|
//! | `options.rs` | what attention takes in addition to queries, keys and values |
//! | `shape.rs` | sizes, their checks, and one head as a matrix |
//! | `fused.rs` | the fused operation, on the CPU |
//! | `device.rs` | the operation on a device |

mod device;
mod fused;
mod options;
mod shape;

use candle_core::{Result, Tensor};

use self::device::DeviceAttention;
use self::fused::FusedAttention;
pub use self::options::Attention;
use crate::dropout::dropout_if_any;
use crate::kernels::{Kernels, Path};
use crate::softmax::softmax_plain;

/// `Dropout(softmax(scale q k^T + bias + mask)) v` for each head (Vaswani et al. 2017, arXiv 1706.03762).
///
/// | argument | shape | gradient |
/// |---|---|---|
/// | `q` | `[b, t, heads * d_head]` | if tracked |
/// | `k`, `v` | `[b, s, key_value_heads * d_head]` | if tracked, summed over the heads that share them |
/// | `bias` | `[1, heads, t, s]` | if tracked, summed over the batch |
/// | `mask` | `[b or 1, 1, t or 1, s]` | never |
///
/// The result is `[b, t, heads * d_head]`. With `g = heads / key_value_heads`, heads `i g` to `i g + g - 1` see the keys and values of
/// head `i` (Ainslie et al. 2023, arXiv 2305.13245). Probability `[b_i, h_i, t_i, s_i]` is element
/// `((b_i * heads + h_i) * t + t_i) * s + s_i` of the dropout. The fused version saves its arguments only: its backward pass
/// computes the probabilities again, one head at a time, and draws the dropout again. On a device it does so for all heads at once,
/// with a softmax in `f32` also for `bf16` tensors.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_kernels::{Attention, Kernels, attention};
///
/// let (q, k) = (Tensor::randn(0f32, 1., (2, 5, 64), &Device::Cpu)?, Tensor::randn(0f32, 1., (2, 7, 64), &Device::Cpu)?);
/// let scale = Some(1. / 8f32.sqrt());
/// let options = Attention { heads: 8, key_value_heads: 8, scale, bias: None, mask: None, dropout: None };
/// assert_eq!(attention([&q, &k, &k], &options, Kernels::Fused)?.dims(), [2, 5, 64]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit, the dropout's `p` is not in `[0, 1)`, or the mask is tracked.
pub fn attention([q, k, v]: [&Tensor; 3], options: &Attention<'_>, kernels: Kernels) -> Result<Tensor> {
    let Attention { bias, mask, .. } = *options;
    let tensors: Vec<&Tensor> = [q, k, v].into_iter().chain(bias).chain(mask).collect();
    match kernels.path_for(&tensors) {
        Path::Cpu => FusedAttention::new(options.shapes(q, k, v)?, options)?.apply(q, k, v, bias),
        Path::Device => DeviceAttention::apply(options.shapes(q, k, v)?, [q, k, v], options),
        Path::Plain => attention_plain([q, k, v], options),
    }
}

/// [`attention`](fn@attention), composed of candle's own operations.
///
/// # Errors
///
/// As [`attention`](fn@attention).
pub fn attention_plain([q, k, v]: [&Tensor; 3], options: &Attention<'_>) -> Result<Tensor> {
    options.shapes(q, k, v)?;
    let Attention { heads, key_value_heads, scale, bias, mask, dropout } = *options;
    let split = |x: &Tensor, heads: usize| {
        let (batch, len, width) = x.dims3()?;
        x.reshape((batch, len, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let keys = |x: &Tensor| {
        let x = split(x, key_value_heads)?;
        let (batch, _, len, d_head) = x.dims4()?;
        let repeated = x.unsqueeze(2)?.broadcast_as((batch, key_value_heads, heads / key_value_heads, len, d_head))?;
        repeated.reshape((batch, heads, len, d_head))
    };
    let mut scores = split(q, heads)?.matmul(&keys(k)?.t()?)?;
    if let Some(scale) = scale {
        scores = (scores * f64::from(scale))?;
    }
    for term in [bias, mask].into_iter().flatten() {
        scores = scores.broadcast_add(term)?;
    }
    let probabilities = dropout_if_any(&softmax_plain(&scores)?, dropout, Kernels::Plain)?;
    probabilities.matmul(&keys(v)?)?.transpose(1, 2)?.reshape(q.dims())
}

#[cfg(test)]
mod tests;
