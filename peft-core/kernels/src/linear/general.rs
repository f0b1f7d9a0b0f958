//! The linear map whose weight may train or may differ between examples, for `f32` on the CPU.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::dims::{Dims, output_dims};
use crate::gemm::batched_product;
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
        let (x, w) = (argument(s1, l1)?, argument(s2, l2)?);
        let dims = Dims::new(l1.dims(), l2.dims())?;
        let size = (dims.rows, dims.d_out);
        let y = batched_product(dims.batch, size, |i| dims.x(x, i), |i| dims.w(w, i).t())?;
        Ok((CpuStorage::F32(y), output_dims(l1.dims(), l2.dims()).into()))
    }

    /// `dX = dY W` and `dW = dY^T X`.
    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let dims = Dims::new(x.dims(), w.dims())?;
        let Dims { batch, rows, d_in, d_out } = dims;
        let (xs, ws, g) = (values(x)?, values(w)?, values(&g)?);
        let dx = || batched_product(batch, (rows, d_in), |i| dims.y(&g, i), |i| dims.w(&ws, i));
        let dw = || batched_product(batch, (d_out, d_in), |i| dims.y(&g, i).t(), |i| dims.x(&xs, i));
        let [dx, dw] = passed_on(NAME, [gradient(x, dx)?, gradient(w, dw)?])?;
        Ok((dx, dw))
    }
}
