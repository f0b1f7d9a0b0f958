//! The linear map with a frozen weight, which is not part of candle's graph.

use candle_core::{DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::dims::{Dims, check_int8, is_int8, output_dims};
use crate::gemm::{Matrix, Order, Threads, product_bf16, product_in, product_int8};
use crate::kernels::{Kernels, Path};
use crate::operation::{Operation, gradient};
use crate::quantize::with_int8;
use crate::values::{argument, values};

/// A weight `[d_out, d_in]` of `f32`, `bf16` or eight bits, with the sizes of its input.
pub(super) struct Frozen {
    w: Tensor,
    dims: Dims,
    order: Order,
}

impl Frozen {
    /// `None` if the weight trains or differs between examples, or if there is no fused kernel for these tensors.
    pub(super) fn new(x: &Tensor, w: &Tensor, dims: Dims, kernels: Kernels) -> Result<Option<Self>> {
        if is_int8(w) {
            check_int8(x)?;
        }
        let stored = matches!(w.dtype(), DType::F32 | DType::BF16 | DType::U8) && w.device().is_cpu();
        if w.track_op() || w.rank() != 2 || !stored || kernels.path_for(&[x]) != Path::Cpu {
            return Ok(None);
        }
        // A row must have the same bits in every batch, except in training, where speed counts.
        Ok(Some(Self { w: w.contiguous()?, dims, order: Order::of(x.track_op()) }))
    }

    /// `x W^T`, `[rows, d_out]`.
    pub(super) fn forward(&self, x: &[f32]) -> Result<Vec<f32>> {
        if is_int8(&self.w) {
            return with_int8(&self.w, |w| product_int8(x, self.dims.rows, w, Threads::All));
        }
        self.product(Matrix::new(x, self.dims.rows, self.dims.d_in), true)
    }

    /// `dY W`, `[rows, d_in]`.
    pub(super) fn input_gradient(&self, g: &[f32]) -> Result<Vec<f32>> {
        self.product(Matrix::new(g, self.dims.rows, self.dims.d_out), false)
    }

    /// The shape of the result for an `x` of shape `x`.
    pub(super) fn output_shape(&self, x: &Shape) -> Shape {
        output_dims(x.dims(), self.w.dims()).into()
    }

    fn product(&self, left: Matrix<'_>, transposed: bool) -> Result<Vec<f32>> {
        let Dims { d_out, d_in, .. } = self.dims;
        let (storage, layout) = self.w.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            bail!("linear: expected a weight on the CPU, got one on {:?}", self.w.device());
        };
        if self.w.dtype() == DType::BF16 {
            let w = Matrix::<bf16>::new(argument(storage, layout)?, d_out, d_in);
            return product_bf16(self.order, left, if transposed { w.t() } else { w }, Threads::All);
        }
        let w = Matrix::<f32>::new(argument(storage, layout)?, d_out, d_in);
        product_in(self.order, left, if transposed { w.t() } else { w }, Threads::All)
    }
}

/// `x W^T`.
impl Operation<1> for Frozen {
    const NAME: &'static str = "linear";

    fn forward(&self, [x]: [&[f32]; 1], _first: &Layout) -> Result<Vec<f32>> {
        self.forward(x)
    }

    fn backward(&self, [x]: [&Tensor; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([gradient(x, || self.input_gradient(&values(g)?))?])
    }

    fn shape(&self, first: &Shape) -> Shape {
        self.output_shape(first)
    }
}
