//! Plain operations without intermediate rounding.

use candle_core::{DType, Result, Tensor};

/// Runs `op` in `f64` if all `arguments` are `f32` on the CPU, and casts its result back.
///
/// A fused operation is measured against its plain twin, so the twin should round its arguments and its result only. On
/// accelerators, where `f64` is slow or missing, `op` runs in the type of its arguments.
pub(crate) fn precisely<const N: usize>(
    arguments: [&Tensor; N],
    op: impl FnOnce([Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let f32_on_cpu = arguments.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32);
    if !f32_on_cpu {
        return op(arguments.map(Tensor::clone));
    }
    let cast: Vec<Tensor> = arguments.iter().map(|t| t.to_dtype(DType::F64)).collect::<Result<_>>()?;
    match <[Tensor; N]>::try_from(cast) {
        Ok(cast) => op(cast)?.to_dtype(DType::F32),
        Err(_) => op(arguments.map(Tensor::clone)),
    }
}
