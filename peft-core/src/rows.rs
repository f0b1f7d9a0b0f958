//! Weights that may differ by row of the batch.

use candle_core::Tensor;

use crate::Result;

/// A vector weight, reshaped to broadcast against `[batch, length, dim]`. It is `[dim]`, or `[batch, dim]` with one vector per
/// row of the batch.
///
/// # Errors
/// If `weight` is a scalar.
pub fn vector(weight: &Tensor) -> Result<Tensor> {
    Ok(match weight.rank() {
        1 => weight.clone(),
        _ => weight.unsqueeze(1)?,
    })
}
