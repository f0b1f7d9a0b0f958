//! The linear map `y = x W^T`, without the gradient of a frozen weight.
//!
//! | file | is |
//! |---|---|
//! | `frozen.rs` | the map with a frozen weight |
//! | `feed_forward.rs` | two of them with ReLU and dropout between |
//! | `general.rs` | the map whose weight may train, differ by row, or lie on a device |
//! | `low_rank.rs` | a frozen map with a low-rank branch beside it |

mod feed_forward;
mod frozen;
mod general;
mod low_rank;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::borrow::Cow;

use candle_core::{DType, Device, Result, Tensor, bail};

pub use self::feed_forward::{feed_forward, feed_forward_plain};
use self::frozen::{Frozen, FrozenLinear};
use self::general::Linear;
pub use self::low_rank::{LowRank, linear_low_rank, linear_low_rank_plain};
use super::gemm::{Matrix, rounded};
use super::values::values;
use super::{Kernels, dequantize, quantized_dims};

/// `y = x W^T`.
///
/// `x [.., d_in]` and `w [d_out, d_in]` give `[.., d_out]`; `x [batch, len, d_in]` and one weight per row,
/// `w [batch, d_out, d_in]`, give `[batch, len, d_out]`.
///
/// `dX = dY W` and `dW = dY^T X` are computed for tracked arguments only. (Candle's own matmul always computes
/// both, and the gradient of a frozen weight costs a third of a training step.) The fused version runs for
/// every float type, on CUDA too; other devices run the plain one. It saves nothing for the backward pass but
/// its arguments.
///
/// A frozen weight `[d_out, d_in]` may be `bf16` beside an `x` of `f32`, which halves the memory that is read; `y` and
/// `dX` are `f32`. Where the processor multiplies such numbers, `x` and `dY` are rounded to them as well, a relative
/// error of 2⁻⁹ an element, while sums are `f32`; elsewhere the weight is widened.
///
/// It may also have [eight bits](super::quantize) beside an `x` of `f32` on the CPU. Then each row of `x` is rounded to 256
/// steps, `x_i ≈ s_i (x'_i - z_i)`, that cover its numbers and zero; the sums are of integers, and this map gives the
/// same bits on every processor. No gradient passes such a map.
///
/// # Errors
///
/// If the shapes do not fit, or a `bf16` weight is tracked or differs by row, or a weight of eight bits stands beside an
/// input of another type than `f32`, on a device, or that is tracked.
pub fn linear(x: &Tensor, w: &Tensor, kernels: Kernels) -> Result<Tensor> {
    let dims = Dims::of(x, w)?;
    let narrow = is_narrow(x, w);
    if narrow && (w.track_op() || w.rank() != 2) {
        bail!("linear: a bf16 weight {:?} beside an f32 input must be frozen and [d_out, d_in]", w.dims());
    }
    if let Some(weight) = Frozen::new(x, w, dims, kernels)? {
        return x.contiguous()?.apply_op1(FrozenLinear { weight });
    }
    let known_device = x.device().is_cpu() || x.device().is_cuda();
    if narrow || is_int8(w) || kernels == Kernels::Plain || !known_device {
        return linear_plain(x, w);
    }
    x.contiguous()?.apply_op2(&w.contiguous()?, Linear)
}

/// [`linear`] by candle's own operations; beside a weight of eight bits, of what the rounded numbers stand for.
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
        return linear_plain(&Tensor::from_vec(rounded, x.shape(), &Device::Cpu)?, &dequantize(w)?);
    }
    let w = &w.to_dtype(x.dtype())?;
    if w.rank() == 3 {
        return x.matmul(&w.t()?);
    }
    let y = x.reshape((rows, d_in))?.matmul(&w.t()?)?;
    y.reshape(output_dims(x.dims(), w.dims()))
}

/// `x` as `[batch, rows, d_in]`, `w` as `[batch, d_out, d_in]`; `batch` is 1 for a shared weight.
#[derive(Clone, Copy)]
struct Dims {
    batch: usize,
    rows: usize,
    d_in: usize,
    d_out: usize,
}

impl Dims {
    /// Of an input and a weight, which may have eight bits.
    fn of(x: &Tensor, w: &Tensor) -> Result<Self> {
        Self::new(x.dims(), &weight_dims(w)?)
    }

    fn new(x: &[usize], w: &[usize]) -> Result<Self> {
        let (batch, rows, d_in, d_out) = match (x, w) {
            ([rows @ .., x_in], [d_out, d_in]) if x_in == d_in => (1, rows.iter().product(), *d_in, *d_out),
            ([x_batch, len, x_in], [batch, d_out, d_in]) if (x_batch, x_in) == (batch, d_in) => {
                (*batch, *len, *d_in, *d_out)
            }
            _ => bail!(
                "linear: x {x:?} needs w [d_out, d_in], or [batch, d_out, d_in] for x [batch, len, d_in]; w is {w:?}"
            ),
        };
        Ok(Self { batch, rows, d_in, d_out })
    }

    fn x<'a>(&self, x: &'a [f32], i: usize) -> Matrix<'a> {
        part(x, i, self.rows, self.d_in)
    }

    fn w<'a>(&self, w: &'a [f32], i: usize) -> Matrix<'a> {
        part(w, i, self.d_out, self.d_in)
    }

    fn y<'a>(&self, y: &'a [f32], i: usize) -> Matrix<'a> {
        part(y, i, self.rows, self.d_out)
    }
}

/// Matrix `i` of a stack of row-major matrices `[rows, cols]`.
fn part(data: &[f32], i: usize, rows: usize, cols: usize) -> Matrix<'_> {
    let len = rows * cols;
    let part = data.get(i * len..(i + 1) * len).unwrap_or_default();
    Matrix::new(part, rows, cols)
}

fn output_dims(x: &[usize], w: &[usize]) -> Vec<usize> {
    let mut dims = x.to_vec();
    if let (Some(last), [.., d_out, _]) = (dims.last_mut(), w) {
        *last = *d_out;
    }
    dims
}

/// Whether the weight alone is `bf16`.
fn is_narrow(x: &Tensor, w: &Tensor) -> bool {
    w.dtype() == DType::BF16 && x.dtype() == DType::F32
}

/// Whether the weight has eight bits.
fn is_int8(w: &Tensor) -> bool {
    w.dtype() == DType::U8
}

/// The shape of what a weight stands for, which may have eight bits.
fn weight_dims(w: &Tensor) -> Result<Cow<'_, [usize]>> {
    match is_int8(w) {
        true => Ok(Cow::Owned(<[usize; 2]>::from(quantized_dims(w)?).to_vec())),
        false => Ok(Cow::Borrowed(w.dims())),
    }
}

/// Fails unless `x` may meet a weight of eight bits.
fn check_int8(x: &Tensor) -> Result<()> {
    if x.dtype() != DType::F32 || !x.device().is_cpu() {
        bail!("linear: a weight of eight bits needs an f32 input on the CPU, got {:?} on {:?}", x.dtype(), x.device());
    }
    if x.track_op() {
        bail!("linear: no gradient passes a weight of eight bits, which is for labelling; detach the input");
    }
    Ok(())
}
