//! Multi-head attention on `[batch, length, heads * d_head]` without transposed copies.

mod fused;
mod shape;

use candle_core::{Result, Tensor, bail};

use self::fused::Attention;
use self::shape::Shapes;
use super::{DropoutKey, Kernels, dropout_plain, softmax_plain};

/// `softmax(q k^T + bias + mask) v` for each head; T5 does not scale the scores.
///
/// | argument | shape | gradient |
/// |---|---|---|
/// | `q` | `[b, t, heads * d_head]` | if tracked |
/// | `k`, `v` | `[b, s, heads * d_head]` | if tracked |
/// | `bias` (T5: relative position) | `[1, heads, t, s]` | if tracked, summed over the batch |
/// | `mask`, added to the scores | `[b or 1, 1, t or 1, s]` | never |
///
/// The result is `[b, t, heads * d_head]`. `dropout` acts on the probabilities, element
/// `((b_i * heads + h_i) * t + t_i) * s + s_i` of its stream. The fused version keeps nothing but the arguments:
/// its backward pass computes the probabilities again, one head at a time, and draws the dropout again.
///
/// # Errors
///
/// If the shapes do not fit, `p` is not in `[0, 1)`, or the mask is tracked.
#[allow(clippy::too_many_arguments, reason = "the arguments of attention, as the literature lists them")]
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    bias: Option<&Tensor>,
    mask: Option<&Tensor>,
    dropout: Option<DropoutKey>,
    kernels: Kernels,
) -> Result<Tensor> {
    let tensors: Vec<&Tensor> = [q, k, v].into_iter().chain(bias).chain(mask).collect();
    if !kernels.fused_for(&tensors) {
        return attention_plain(q, k, v, heads, bias, mask, dropout);
    }
    let shapes = check(q, k, v, heads, bias, mask)?;
    Attention::new(shapes, bias, mask, dropout)?.apply(q, k, v, bias)
}

/// [`attention`] by candle's own operations.
///
/// # Errors
///
/// As [`attention`].
pub fn attention_plain(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    bias: Option<&Tensor>,
    mask: Option<&Tensor>,
    dropout: Option<DropoutKey>,
) -> Result<Tensor> {
    check(q, k, v, heads, bias, mask)?;
    let split = |x: &Tensor| {
        let (batch, len, width) = x.dims3()?;
        x.reshape((batch, len, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let mut scores = split(q)?.matmul(&split(k)?.t()?)?;
    for term in [bias, mask].into_iter().flatten() {
        scores = scores.broadcast_add(term)?;
    }
    let mut probabilities = softmax_plain(&scores)?;
    if let Some(key) = dropout {
        probabilities = dropout_plain(&probabilities, key)?;
    }
    probabilities.matmul(&split(v)?)?.transpose(1, 2)?.reshape(q.dims())
}

fn check(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    bias: Option<&Tensor>,
    mask: Option<&Tensor>,
) -> Result<Shapes> {
    if mask.is_some_and(Tensor::track_op) {
        bail!("attention: the mask is tracked, but no gradient is defined for it; detach it");
    }
    let shapes = Shapes::new(q.dims(), k.dims(), v.dims(), heads)?;
    shapes.check_terms(bias.map(Tensor::dims), mask.map(Tensor::dims))?;
    Ok(shapes)
}

#[cfg(test)]
mod tests;
