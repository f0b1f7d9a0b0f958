//! The sizes of a linear map, and what kind of weight it has.

use std::borrow::Cow;

use candle_core::{DType, Result, Tensor, bail};

use crate::gemm::Matrix;
use crate::quantize::quantized_dims;

/// The sizes of `x` as `[batch, rows, d_in]` and `w` as `[batch, d_out, d_in]`. `batch` is 1 if the examples share the weight.
#[derive(Clone, Copy)]
pub(super) struct Dims {
    pub(super) batch: usize,
    pub(super) rows: usize,
    pub(super) d_in: usize,
    pub(super) d_out: usize,
}

impl Dims {
    /// The sizes of an input and a weight, which may have eight bits.
    pub(super) fn of(x: &Tensor, w: &Tensor) -> Result<Self> {
        Self::new(x.dims(), &weight_dims(w)?)
    }

    pub(super) fn new(x: &[usize], w: &[usize]) -> Result<Self> {
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

    pub(super) fn x<'a>(&self, x: &'a [f32], i: usize) -> Matrix<'a> {
        part(x, i, self.rows, self.d_in)
    }

    pub(super) fn w<'a>(&self, w: &'a [f32], i: usize) -> Matrix<'a> {
        part(w, i, self.d_out, self.d_in)
    }

    pub(super) fn y<'a>(&self, y: &'a [f32], i: usize) -> Matrix<'a> {
        part(y, i, self.rows, self.d_out)
    }
}

/// Matrix `i` of a stack of row-major matrices `[rows, cols]`.
fn part(data: &[f32], i: usize, rows: usize, cols: usize) -> Matrix<'_> {
    let len = rows * cols;
    let part = data.get(i * len..(i + 1) * len).unwrap_or_default();
    Matrix::new(part, rows, cols)
}

/// The shape of the result for an `x` and a `w` of these shapes.
pub(super) fn output_dims(x: &[usize], w: &[usize]) -> Vec<usize> {
    let mut dims = x.to_vec();
    if let (Some(last), [.., d_out, _]) = (dims.last_mut(), w) {
        *last = *d_out;
    }
    dims
}

/// Whether the weight is `bf16` and the input is `f32`.
pub(super) fn is_bf16_only(x: &Tensor, w: &Tensor) -> bool {
    w.dtype() == DType::BF16 && x.dtype() == DType::F32
}

/// Whether the weight has eight bits.
pub(super) fn is_int8(w: &Tensor) -> bool {
    w.dtype() == DType::U8
}

/// The shape of the matrix of a weight, which may have eight bits.
pub(super) fn weight_dims(w: &Tensor) -> Result<Cow<'_, [usize]>> {
    match is_int8(w) {
        true => Ok(Cow::Owned(<[usize; 2]>::from(quantized_dims(w)?).to_vec())),
        false => Ok(Cow::Borrowed(w.dims())),
    }
}

/// Fails unless `x` may be multiplied by a weight of eight bits.
pub(super) fn check_int8(x: &Tensor) -> Result<()> {
    if x.dtype() != DType::F32 || !x.device().is_cpu() {
        bail!(
            "linear: a weight of eight bits needs an f32 input on the CPU, got {:?} on {:?}; on a device, use bf16",
            x.dtype(),
            x.device()
        );
    }
    if x.track_op() {
        bail!("linear: a weight of eight bits passes no gradient to its input; detach the input");
    }
    Ok(())
}
