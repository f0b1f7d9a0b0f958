//! Output projection and label-smoothed cross-entropy as one operation, which never stores all logits at once.
//!
//! | file | is |
//! |---|---|
//! | `options.rs` | the options, and the tokens that count |
//! | `fused.rs` | the fused operation, on the CPU |
//! | `device.rs` | the operation on a device |

mod device;
mod fused;
mod options;

use candle_core::{D, DType, Result, Tensor};

use self::device::DeviceLoss;
use self::fused::{Loss, Target};
pub use self::options::{Reduction, SmoothedCrossEntropy};
use crate::kernels::{Kernels, Path};
use crate::transfer::upload;

/// The label-smoothed cross-entropy of `logits = hidden weight^T`.
///
/// With `p = softmax(logits)` and `eps` the smoothing, the loss is the sum or the mean, over the tokens whose label `y` is not
/// ignored, of
///
/// `(1 - eps) (-log p_y) + eps / V sum_v (-log p_v)`.
///
/// `hidden [n, d]`, `weight [V, d]` and `labels` (u32) `[n]` give a scalar. Gradients reach `hidden` and `weight` if they are
/// tracked. (The weight trains with a tied embedding in full fine-tuning.) The gradient of an ignored token's row is 0.
///
/// The fused version works on a few rows at a time. It computes the gradients together with the loss, while the logits exist,
/// and saves them for the backward pass: `n d` numbers for `hidden` and `V d` for `weight`. Pass detached tensors if you need no
/// gradient. On a device it does the same, and reads no label. A frozen `weight` may be `bf16`, as in [`linear`](fn@crate::linear).
///
/// ```
/// use candle_core::{DType::F32, Device, Tensor};
/// use peft_kernels::{Kernels, SmoothedCrossEntropy, smoothed_cross_entropy};
///
/// let (hidden, weight) = (Tensor::zeros((3, 4), F32, &Device::Cpu)?, Tensor::ones((8, 4), F32, &Device::Cpu)?);
/// let labels = Tensor::new(&[5u32, 2, 0], &Device::Cpu)?;
/// let loss = smoothed_cross_entropy([&hidden, &weight, &labels], &SmoothedCrossEntropy::default(), Kernels::Fused)?;
/// assert!((loss.to_scalar::<f32>()? - 2. * 8f32.ln()).abs() < 1e-5, "two tokens count, and all logits are equal");
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit, a label that is not ignored is not below `V`, `eps` is not in `[0, 1]`, or a mean is wanted and
/// every label is ignored. Labels on a device are not read: there, a label outside the vocabulary is an error of the device or a wrong
/// loss, and the mean of no tokens is NaN.
pub fn smoothed_cross_entropy(
    [hidden, weight, labels]: [&Tensor; 3],
    options: &SmoothedCrossEntropy,
    kernels: Kernels,
) -> Result<Tensor> {
    let frozen_bf16 = weight.dtype() == DType::BF16 && !weight.track_op() && weight.device().is_cpu();
    let weights = if frozen_bf16 { vec![hidden] } else { vec![hidden, weight] };
    match kernels.path_for(&weights) {
        Path::Cpu => {}
        Path::Device => {
            options.check([hidden, weight, labels])?;
            return DeviceLoss::apply([hidden, weight, labels], options, None);
        }
        Path::Plain => return smoothed_cross_entropy_plain([hidden, weight, labels], options),
    }
    let tokens = options.tokens(hidden, weight, labels)?;
    let target = Target::new(options, weight.dims2()?.0, tokens.len());
    let (hidden, weight) = (hidden.contiguous()?, weight.contiguous()?);
    hidden.apply_op2(&weight, Loss::new(&hidden, &weight, &tokens, target)?)
}

/// [`smoothed_cross_entropy`], composed of candle's own operations, with all logits at once.
///
/// # Errors
///
/// As [`smoothed_cross_entropy`].
pub fn smoothed_cross_entropy_plain(
    [hidden, weight, labels]: [&Tensor; 3],
    options: &SmoothedCrossEntropy,
) -> Result<Tensor> {
    let tokens = options.tokens(hidden, weight, labels)?;
    let n = tokens.len();
    if n == 0 {
        let zero = hidden.zeros_like()?.sum_all()?;
        return hidden.sum_all()? * zero;
    }
    let (rows, labels): (Vec<u32>, Vec<u32>) = tokens.iter().map(|t| (t.row, t.label)).unzip();
    let rows = upload(rows, n, hidden.device())?;
    let labels = upload(labels, (n, 1), hidden.device())?;
    let logits = hidden.index_select(&rows, 0)?.matmul(&weight.to_dtype(hidden.dtype())?.t()?)?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let log_p = shifted.broadcast_sub(&log_sum)?;
    let nll = log_p.gather(&labels, 1)?.sum_all()?.neg()?;
    let uniform = log_p.mean(D::Minus1)?.sum_all()?.neg()?;
    let eps = options.label_smoothing;
    let sum = ((nll * (1.0 - eps))? + (uniform * eps)?)?;
    match options.reduction {
        Reduction::Sum => Ok(sum),
        Reduction::Mean => sum / n as f64,
    }
}

#[cfg(test)]
mod tests;
