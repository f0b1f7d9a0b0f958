//! Tensor operations that the device's way of several operations shares. None of them brings a value to or from the host.

use candle_core::{D, DType, Result, Tensor};

/// `x`, as `f32` if its type has fewer bits: sums over many elements need them.
pub(crate) fn wide(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

/// `x` as a matrix whose rows are the vectors of its last dimension.
pub(crate) fn as_rows(x: &Tensor) -> Result<Tensor> {
    x.reshape(((), x.dim(D::Minus1)?))
}

/// The sum of all vectors `[d]` of `x [.., d]`.
pub(crate) fn sum_of_rows(x: &Tensor) -> Result<Tensor> {
    as_rows(x)?.sum(0)
}

/// 1 where `x` is above 0, else 0. (A comparison of candle with a number would upload that number.)
pub(crate) fn above_zero(x: &Tensor) -> Result<Tensor> {
    let zero = Tensor::zeros((), x.dtype(), x.device())?.broadcast_as(x.shape())?;
    x.gt(&zero)?.to_dtype(x.dtype())
}
