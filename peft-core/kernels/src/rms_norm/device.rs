//! RMS norm on a device.

use candle_core::{D, DType, Result, Tensor};

use crate::graph::{Composed, if_wanted};
use crate::operation::Operation;
use crate::tensors::{sum_of_rows, wide};

use super::{RmsNorm, rms_norm_plain};

/// Keeps its arguments only.
pub(super) struct OnDevice(pub(super) RmsNorm);

impl Composed<2> for OnDevice {
    const NAME: &'static str = <RmsNorm as Operation<2>>::NAME;

    /// By candle's kernel, which sums in `f32` and so is not for `f64`.
    fn forward(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        match x.dtype() {
            DType::F64 => rms_norm_plain(x, w, self.0.eps),
            _ => candle_nn::ops::rms_norm(&x.contiguous()?, &w.contiguous()?, self.0.eps as f32),
        }
    }

    /// With `r = 1 / root` and `h = g w`: `dx = r h - x r^3 mean(h x)` and `dw = sum_rows g x r`.
    fn backward(
        &self,
        [x, w]: [&Tensor; 2],
        [of_x, of_w]: [bool; 2],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let (dtype, x, g) = (x.dtype(), wide(x)?, wide(g)?);
        let r = (x.sqr()?.mean_keepdim(D::Minus1)? + self.0.eps)?.sqrt()?.recip()?;
        let normed = x.broadcast_mul(&r)?;
        let dx = || {
            let h = g.broadcast_mul(&wide(w)?)?;
            let mean = (&h * &normed)?.mean_keepdim(D::Minus1)?;
            (h - normed.broadcast_mul(&mean)?)?.broadcast_mul(&r)?.to_dtype(dtype)
        };
        let dw = || sum_of_rows(&(&g * &normed)?)?.to_dtype(dtype);
        Ok([if_wanted(of_x, dx)?, if_wanted(of_w, dw)?])
    }
}
