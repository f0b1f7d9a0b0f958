//! The linear map with a frozen weight, which is not part of candle's graph.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::dims::{Dims, check_int8, is_int8, output_dims};
use crate::gemm::{Matrix, Threads, product, product_bf16, product_int8};
use crate::kernels::Kernels;
use crate::quantize::with_int8;
use crate::values::{argument, output, tensor, values};

/// A weight `[d_out, d_in]` of `f32`, `bf16` or eight bits, with the sizes of its input.
pub(super) struct Frozen {
    w: Tensor,
    dims: Dims,
}

impl Frozen {
    /// `None` if the weight trains or differs between examples, or if there is no fused kernel for these tensors.
    pub(super) fn new(x: &Tensor, w: &Tensor, dims: Dims, kernels: Kernels) -> Result<Option<Self>> {
        if is_int8(w) {
            check_int8(x)?;
        }
        let stored = matches!(w.dtype(), DType::F32 | DType::BF16 | DType::U8) && w.device().is_cpu();
        if w.track_op() || w.rank() != 2 || !stored || !kernels.fused_for(&[x]) {
            return Ok(None);
        }
        Ok(Some(Self { w: w.contiguous()?, dims }))
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

    /// The shape of the result for an `x` of shape `dims`.
    pub(super) fn output_dims(&self, dims: &[usize]) -> Vec<usize> {
        output_dims(dims, self.w.dims())
    }

    fn product(&self, left: Matrix<'_>, transposed: bool) -> Result<Vec<f32>> {
        let Dims { d_out, d_in, .. } = self.dims;
        let (storage, layout) = self.w.storage_and_layout();
        let range = layout.contiguous_offsets();
        match (&*storage, range) {
            (Storage::Cpu(CpuStorage::F32(data)), Some((start, end))) => {
                let w = Matrix::new(data.get(start..end).unwrap_or_default(), d_out, d_in);
                product(left, if transposed { w.t() } else { w }, Threads::All)
            }
            (Storage::Cpu(CpuStorage::BF16(data)), Some((start, end))) => {
                let w = Matrix::<bf16>::new(data.get(start..end).unwrap_or_default(), d_out, d_in);
                product_bf16(left, if transposed { w.t() } else { w }, Threads::All)
            }
            _ => bail!("linear: expected a contiguous weight of f32 or bf16 on the CPU, got {layout:?}"),
        }
    }
}

/// `x W^T`.
pub(super) struct FrozenLinear {
    pub(super) weight: Frozen,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = self.weight.forward(argument(storage, layout)?)?;
        Ok(output(y, self.weight.output_dims(layout.dims())))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let g = g.contiguous()?;
        tensor(self.weight.input_gradient(&values(&g)?)?, x.shape()).map(Some)
    }
}
