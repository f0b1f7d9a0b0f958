//! What prompts and prefixes share: rows that come before the rows of a batch.

use candle_core::Tensor;
use peft_core::Result;

/// `weight [p, d]` for each of `batch` rows, `[batch, p, d]`; a weight with a batch axis already has that shape.
pub(crate) fn each_row(weight: &Tensor, batch: usize) -> Result<Tensor> {
    if weight.rank() > 2 {
        return Ok(weight.clone());
    }
    let (length, dim) = weight.dims2()?;
    Ok(weight.unsqueeze(0)?.broadcast_as((batch, length, dim))?.contiguous()?)
}

/// `front [batch, p, d]` before `x [batch, s, d]`, `[batch, p + s, d]`.
pub(crate) fn in_front(front: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(Tensor::cat(&[front, &x.contiguous()?], 1)?)
}
