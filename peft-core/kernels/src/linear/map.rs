//! The linear map for every kind of weight.

use candle_core::{Device, Result, Tensor, bail};

use super::device;
use super::dims::{Dims, check_int8, is_bf16_only, is_int8, output_dims};
use super::frozen::Frozen;
use super::general::Linear;
use crate::gemm::rounded;
use crate::kernels::{Kernels, Path};
use crate::operation::Fused;
use crate::quantize::dequantize;
use crate::values::values;

/// `y = x W^T`.
///
/// `x [.., d_in]` and `w [d_out, d_in]` give `[.., d_out]`. `x [batch, len, d_in]` and one weight per example,
/// `w [batch, d_out, d_in]`, give `[batch, len, d_out]`.
///
/// The gradients `dX = dY W` and `dW = dY^T X` are computed for tracked arguments only. (Candle's own matmul always computes
/// both, and the gradient of a frozen weight takes a third of a training step.) Every version except the plain one saves its arguments
/// only.
///
/// **`bf16`.** With an `f32` `x`, a frozen weight `[d_out, d_in]` may be `bf16`, which halves the memory that is read. `y` and
/// `dX` are `f32`. If the processor multiplies `bf16` numbers, `x` and `dY` are rounded to `bf16` too, a relative error of 2⁻⁹
/// per element, and sums are `f32`. On other processors the weight is converted to `f32`. On a device, `x`, `dY` and the results are
/// rounded to `bf16`.
///
/// **Eight bits.** With an `f32` `x` on the CPU, the weight may be one that [`quantize`](fn@crate::quantize) made. Each row of `x` is then
/// rounded to 256 steps that cover its numbers and zero, `x_i ≈ s_i (x'_i - z_i)`. Sums are integers, so the result has the same
/// bits on every processor. There is no gradient: such a map is for inference.
///
/// # Errors
///
/// If the shapes do not fit; if `x` is `f32` and a `bf16` weight is tracked or differs between examples; or if the weight has eight
/// bits and `x` is tracked, not `f32`, or not on the CPU.
pub fn linear(x: &Tensor, w: &Tensor, kernels: Kernels) -> Result<Tensor> {
    let dims = Dims::of(x, w)?;
    let bf16 = is_bf16_only(x, w);
    if bf16 && (w.track_op() || w.rank() != 2) {
        bail!("linear: with an f32 input, a bf16 weight must be frozen and [d_out, d_in]; it is {:?}", w.dims());
    }
    if let Some(weight) = Frozen::new(x, w, dims, kernels)? {
        return x.contiguous()?.apply_op1(Fused(weight));
    }
    match kernels.path_for(&[x, w]) {
        _ if is_int8(w) => linear_plain(x, w),
        Path::Cpu => x.contiguous()?.apply_op2(&w.contiguous()?, Linear),
        Path::Device => device::linear(x, w),
        Path::Plain => linear_plain(x, w),
    }
}

/// [`linear`], composed of candle's own operations. With a weight of eight bits, it is the product of the dequantized weight and
/// the rounded `x`.
///
/// # Errors
///
/// As [`linear`].
pub fn linear_plain(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let Dims { rows, d_in, .. } = Dims::of(x, w)?;
    if is_int8(w) {
        check_int8(x)?;
        let x = x.contiguous()?;
        let rounded = rounded(&values(&x)?, d_in);
        #[allow(clippy::disallowed_methods, reason = "tensors of the CPU")]
        let rounded = Tensor::from_vec(rounded, x.shape(), &Device::Cpu)?;
        return linear_plain(&rounded, &dequantize(w)?);
    }
    let w = &w.to_dtype(x.dtype())?;
    if w.rank() == 3 {
        return x.matmul(&w.t()?);
    }
    let y = x.reshape((rows, d_in))?.matmul(&w.t()?)?;
    y.reshape(output_dims(x.dims(), w.dims()))
}
