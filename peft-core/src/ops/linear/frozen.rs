//! The linear map with a frozen weight, which the graph never sees.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::{Dims, output_dims};
use crate::ops::dropout::Dropper;
use crate::ops::gemm::{Matrix, Threads, product, product_bf16};
use crate::ops::parallel::{TASK, binary, for_each_chunk};
use crate::ops::values::{argument, output, tensor, values};
use crate::ops::{Activation, Kernels};

/// A weight `[d_out, d_in]` of `f32` or `bf16` beside inputs of one shape.
pub(super) struct Frozen {
    w: Tensor,
    dims: Dims,
}

impl Frozen {
    /// `None` where the weight trains or differs by row, or where there are no fused kernels for these tensors.
    pub(super) fn new(x: &Tensor, w: &Tensor, dims: Dims, kernels: Kernels) -> Result<Option<Self>> {
        let stored = matches!(w.dtype(), DType::F32 | DType::BF16) && w.device().is_cpu();
        if w.track_op() || w.rank() != 2 || !stored || !kernels.fused_for(&[x]) {
            return Ok(None);
        }
        Ok(Some(Self { w: w.contiguous()?, dims }))
    }

    /// `x W^T`, `[rows, d_out]`.
    pub(super) fn forward(&self, x: &[f32]) -> Result<Vec<f32>> {
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

/// What is done to `x W^T` in its place.
pub(super) enum After {
    Nothing,
    /// ReLU, then dropout.
    Relu(Option<Dropper>),
}

impl After {
    fn forward(&self, y: &mut [f32]) {
        let Self::Relu(dropper) = self else { return };
        for_each_chunk(y, TASK, |start, y| {
            for y in y.iter_mut() {
                *y = Activation::Relu.value(*y);
            }
            if let Some(dropper) = dropper {
                dropper.apply(start, y);
            }
        });
    }

    /// The gradient of `x W^T`; `None` where it is `g` itself. What is above zero in `y` was neither cut off nor dropped.
    fn backward(&self, y: &Tensor, g: &[f32]) -> Result<Option<Vec<f32>>> {
        let Self::Relu(dropper) = self else { return Ok(None) };
        let scale = dropper.as_ref().map_or(1.0, Dropper::scale);
        Ok(Some(binary(&values(y)?, g, |y, g| if y > 0.0 { g * scale } else { 0.0 })))
    }
}

/// `after(x W^T)`.
pub(super) struct FrozenLinear {
    pub(super) weight: Frozen,
    pub(super) after: After,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = self.weight.forward(argument(storage, layout)?)?;
        self.after.forward(&mut y);
        Ok(output(y, self.weight.output_dims(layout.dims())))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let g = g.contiguous()?;
        let g = values(&g)?;
        let inner = self.after.backward(y, &g)?;
        let dx = self.weight.input_gradient(inner.as_deref().unwrap_or(&g))?;
        tensor(dx, x.shape()).map(Some)
    }
}
