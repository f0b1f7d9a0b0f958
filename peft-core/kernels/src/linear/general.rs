//! The linear map whose weight may train, may differ between examples, or may be on a device.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};

use super::dims::{Dims, output_dims};
use crate::gemm::batched_product;
use crate::kernels::Kernels;
use crate::operation::{gradient, passed_on};
use crate::values::{argument, values};

/// The name in candle's errors.
const NAME: &str = "linear";

/// `y = x W^T` with both `x` and `W` in the graph.
pub(super) struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        if s1.dtype() != DType::F32 {
            return backend_product(s1, l1, s2, l2);
        }
        let (x, w) = (argument(s1, l1)?, argument(s2, l2)?);
        let dims = Dims::new(l1.dims(), l2.dims())?;
        let size = (dims.rows, dims.d_out);
        let y = batched_product(dims.batch, size, |i| dims.x(x, i), |i| dims.w(w, i).t())?;
        Ok((CpuStorage::F32(y), output_dims(l1.dims(), l2.dims()).into()))
    }

    fn cuda_fwd(&self, s1: &CudaStorage, l1: &Layout, s2: &CudaStorage, l2: &Layout) -> Result<(CudaStorage, Shape)> {
        backend_product(s1, l1, s2, l2)
    }

    /// `dX = dY W` and `dW = dY^T X`.
    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let dims = Dims::new(x.dims(), w.dims())?;
        let Dims { batch, rows, d_in, d_out } = dims;
        if Kernels::Fused.fused_for(&[x, w, &g]) {
            let (xs, ws, g) = (values(x)?, values(w)?, values(&g)?);
            let dx = || batched_product(batch, (rows, d_in), |i| dims.y(&g, i), |i| dims.w(&ws, i));
            let dw = || batched_product(batch, (d_out, d_in), |i| dims.y(&g, i).t(), |i| dims.x(&xs, i));
            let [dx, dw] = passed_on(NAME, [gradient(x, dx)?, gradient(w, dw)?])?;
            return Ok((dx, dw));
        }
        let g = g.reshape((batch, rows, d_out))?;
        let dx = || g.matmul(&w.detach().reshape((batch, d_out, d_in))?)?.reshape(x.shape());
        let dw = || g.t()?.matmul(&x.detach().reshape((batch, rows, d_in))?)?.reshape(w.shape());
        let [dx, dw] = passed_on(NAME, [x.track_op().then(dx).transpose()?, w.track_op().then(dw).transpose()?])?;
        Ok((dx, dw))
    }
}

/// The product by the backend's own matmul, which supports more types and devices.
fn backend_product<S: BackendStorage>(x: &S, x_layout: &Layout, w: &S, w_layout: &Layout) -> Result<(S, Shape)> {
    let dims = Dims::new(x_layout.dims(), w_layout.dims())?;
    let x_shape = (dims.batch, dims.rows, dims.d_in);
    let w_shape = (dims.batch, dims.d_out, dims.d_in);
    let xl = Layout::contiguous_with_offset(x_shape, x_layout.start_offset());
    let wl = Layout::contiguous_with_offset(w_shape, w_layout.start_offset()).transpose(1, 2)?;
    let size = (dims.batch, dims.rows, dims.d_out, dims.d_in);
    let shape = output_dims(x_layout.dims(), w_layout.dims()).into();
    Ok((x.matmul(w, size, &xl, &wl)?, shape))
}
