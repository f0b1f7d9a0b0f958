//! Specifications without rounding of their own.

use candle_core::{DType, Result, Tensor};

/// Runs `op` on `arguments` in `f64` where they are `f32` on a CPU, and casts its result back.
///
/// A plain operation is what its fused form is measured against, so the only rounding in it should be that of its
/// arguments and of its result. On accelerators, where `f64` is slow or missing, it keeps the type of its arguments.
pub(super) fn precisely<const N: usize>(
    arguments: [&Tensor; N],
    op: impl FnOnce([Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let wide = arguments.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32);
    if !wide {
        return op(arguments.map(Tensor::clone));
    }
    let cast: Vec<Tensor> = arguments.iter().map(|t| t.to_dtype(DType::F64)).collect::<Result<_>>()?;
    match <[Tensor; N]>::try_from(cast) {
        Ok(cast) => op(cast)?.to_dtype(DType::F32),
        Err(_) => op(arguments.map(Tensor::clone)),
    }
}
