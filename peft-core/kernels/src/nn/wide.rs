//! Numbers of sixteen bits as `f32`.

use candle_core::{DType, Result, Tensor};

/// Runs `op` in `f32` if the first argument has sixteen bits, and casts its result back.
///
/// Sums over a row need more than the three digits of `bf16`.
pub(super) fn in_f32<const N: usize>(
    arguments: [&Tensor; N],
    op: impl FnOnce([&Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let Some(dtype) = arguments.first().map(|x| x.dtype()).filter(|t| matches!(t, DType::F16 | DType::BF16)) else {
        return op(arguments);
    };
    let cast: Vec<Tensor> = arguments.iter().map(|x| x.to_dtype(DType::F32)).collect::<Result<_>>()?;
    match <[&Tensor; N]>::try_from(cast.iter().collect::<Vec<_>>()) {
        Ok(cast) => op(cast)?.to_dtype(dtype),
        Err(_) => op(arguments),
    }
}
