//! Output projection and label-smoothed cross-entropy in one operation: logits are never held whole.

mod fused;

use candle_core::{D, DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use self::fused::{Loss, Target};
use super::Kernels;

/// How token losses become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The sum over the tokens that are not ignored.
    #[default]
    Sum,
    /// The mean over the tokens that are not ignored.
    Mean,
}

/// What [`smoothed_cross_entropy`] computes. The default is the plain sum of negative log-likelihoods that
/// ignores label 0, T5's padding.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SmoothedCrossEntropy {
    /// `eps` in `[0, 1]`: the share of the target spread evenly over the vocabulary.
    pub label_smoothing: f64,
    /// Tokens with this label do not count; it may lie outside the vocabulary.
    pub ignore_index: u32,
    /// Sum or mean over the tokens that count.
    pub reduction: Reduction,
}

/// A token that counts: its row of `hidden` and its label.
#[derive(Clone, Copy, Debug)]
struct Token {
    row: u32,
    label: u32,
}

/// The label-smoothed cross-entropy of `logits = hidden weight^T`.
///
/// With `p = softmax(logits)`, the loss is the sum, or mean, over the tokens whose label `y` is not ignored, of
///
/// `(1 - eps) (-log p_y) + eps / V sum_v (-log p_v)`.
///
/// `hidden [n, d]`, `weight [V, d]` and `labels` (u32) `[n]` give a scalar. Gradients reach `hidden`, and
/// `weight` if it is tracked (a tied embedding in full fine-tuning). An ignored token costs nothing and its row's
/// gradient is 0.
///
/// The fused version works through a few rows at a time. It computes the gradients of the tracked arguments
/// together with the loss, while the logits exist, and saves them, `n d` (and `V d`) numbers, for the backward
/// pass, which scales them: pass detached tensors where no gradient is needed. A frozen `weight` may be `bf16`, as in
/// [`linear`](super::linear).
///
/// # Errors
///
/// If the shapes do not fit, a label that counts is not below `V`, `eps` is not in `[0, 1]`, or a mean is asked
/// for where all labels are ignored.
pub fn smoothed_cross_entropy(
    hidden: &Tensor,
    weight: &Tensor,
    labels: &Tensor,
    options: &SmoothedCrossEntropy,
    kernels: Kernels,
) -> Result<Tensor> {
    let narrow = weight.dtype() == DType::BF16 && !weight.track_op() && weight.device().is_cpu();
    if !kernels.fused_for(&[hidden]) || !(narrow || kernels.fused_for(&[weight])) {
        return smoothed_cross_entropy_plain(hidden, weight, labels, options);
    }
    let tokens = tokens(hidden, weight, labels, options)?;
    let target = Target::new(options, weight.dims2()?.0, tokens.len());
    let (hidden, weight) = (hidden.contiguous()?, weight.contiguous()?);
    hidden.apply_op2(&weight, Loss::new(&hidden, &weight, &tokens, target)?)
}

/// [`smoothed_cross_entropy`] by candle's own operations, with all logits at once.
///
/// # Errors
///
/// As [`smoothed_cross_entropy`].
pub fn smoothed_cross_entropy_plain(
    hidden: &Tensor,
    weight: &Tensor,
    labels: &Tensor,
    options: &SmoothedCrossEntropy,
) -> Result<Tensor> {
    let tokens = tokens(hidden, weight, labels, options)?;
    let n = tokens.len();
    if n == 0 {
        let zero = hidden.zeros_like()?.sum_all()?;
        return hidden.sum_all()? * zero;
    }
    let (rows, labels): (Vec<u32>, Vec<u32>) = tokens.iter().map(|t| (t.row, t.label)).unzip();
    let rows = Tensor::from_vec(rows, n, hidden.device())?;
    let labels = Tensor::from_vec(labels, (n, 1), hidden.device())?;
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

/// The tokens that count; fails as [`smoothed_cross_entropy`] does.
fn tokens(hidden: &Tensor, weight: &Tensor, labels: &Tensor, options: &SmoothedCrossEntropy) -> Result<Vec<Token>> {
    let vocab = match (hidden.dims(), weight.dims(), labels.dims(), labels.dtype()) {
        ([n, d], [vocab, weight_d], [labels], DType::U32) if n == labels && d == weight_d => *vocab,
        (hidden, weight, labels, dtype) => bail!(
            "smoothed_cross_entropy: expected hidden [n, d], weight [V, d] and labels u32 [n], got {hidden:?}, {weight:?} and {dtype:?} {labels:?}"
        ),
    };
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        let eps = options.label_smoothing;
        bail!("smoothed_cross_entropy: label_smoothing = {eps} is not in [0, 1]");
    }
    let tokens: Vec<Token> = (0..)
        .zip(labels.to_vec1()?)
        .filter(|(_, label)| *label != options.ignore_index)
        .map(|(row, label)| Token { row, label })
        .collect();
    if let Some(Token { row, label }) = tokens.iter().find(|t| t.label as usize >= vocab) {
        bail!("smoothed_cross_entropy: label {label} of row {row} is not below V = {vocab}");
    }
    if tokens.is_empty() && options.reduction == Reduction::Mean {
        bail!("smoothed_cross_entropy: all labels are {}, the ignored one: there is no mean", options.ignore_index);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests;
