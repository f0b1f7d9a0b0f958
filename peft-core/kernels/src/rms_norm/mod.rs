//! Division by the root mean square of a row, without subtraction of the mean and without bias.

mod device;

use candle_core::{D, Layout, Result, Tensor, bail};

use crate::graph::composed2;
use crate::kernels::{Kernels, Path};
use crate::math::{add_to, dot};
use crate::operation::{Fused, Operation, gradient};
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;
use crate::{parallel, row_blocks};

/// `y = x / sqrt(mean(x^2) + eps) * w` over the last dimension (RMSNorm: Zhang and Sennrich 2019, arXiv 1910.07467), which T5
/// calls layer norm.
///
/// `x [.., d]` and `w [d]` give `[.., d]`. Gradients reach `x` and `w` if they are tracked. The fused version saves its
/// arguments only.
///
/// # Errors
///
/// If `w` is not `[d]`.
pub fn rms_norm(x: &Tensor, w: &Tensor, eps: f64, kernels: Kernels) -> Result<Tensor> {
    if w.dims() != [x.dim(D::Minus1)?] {
        bail!("rms_norm: w {:?} does not fit x {:?}", w.dims(), x.dims());
    }
    match kernels.path_for(&[x, w]) {
        Path::Cpu => x.contiguous()?.apply_op2(&w.contiguous()?, Fused(RmsNorm { eps })),
        Path::Device => composed2(device::OnDevice(RmsNorm { eps }), x, w),
        Path::Plain => rms_norm_plain(x, w, eps),
    }
}

/// [`rms_norm`], composed of candle's own operations.
///
/// # Errors
///
/// As [`rms_norm`].
pub fn rms_norm_plain(x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor> {
    precisely([x, w], |[x, w]| {
        let root = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        x.broadcast_div(&root)?.broadcast_mul(&w)
    })
}

struct RmsNorm {
    eps: f64,
}

impl RmsNorm {
    #[inline(always)]
    fn inverse_root(&self, x: &[f32]) -> f32 {
        (1.0 / (dot(x, x) / x.len() as f64 + self.eps).sqrt()) as f32
    }
}

vectorized! {
    fn forward(norm: &RmsNorm, x: &[f32], w: &[f32]) -> Vec<f32> {
        parallel::map_rows(x, w.len(), |y, x| {
            let r = norm.inverse_root(x);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * r * w;
            }
        })
    }

    /// With `r = 1 / root` and `h = g w`: `dx = r h - x r^3 / d sum(h x)` and `dw = sum_rows g x r`. `dw_len` is the number of
    /// elements of `dw`, or 0 if it is not needed.
    fn backward(norm: &RmsNorm, x: &[f32], w: &[f32], g: &[f32], dw_len: usize) -> (Vec<f32>, Vec<f32>) {
        row_blocks::backward(x, g, w.len(), 1, |block| {
            let mut dw = vec![0.0; dw_len];
            block.for_each_row(|dx, x, g| {
                let r = norm.inverse_root(x);
                for ((d, g), x) in dx.iter_mut().zip(g).zip(x) {
                    *d = g * x * r;
                }
                add_to(&mut dw, dx);
                let mean = (dot(dx, w) * f64::from(r * r) / x.len() as f64) as f32;
                for (((d, g), x), w) in dx.iter_mut().zip(g).zip(x).zip(w) {
                    *d = g * w * r - x * mean;
                }
            });
            dw
        })
    }
}

impl Operation<2> for RmsNorm {
    const NAME: &'static str = "rms_norm";

    fn forward(&self, [x, w]: [&[f32]; 2], _first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(self, x, w))
    }

    fn backward(&self, [x, w]: [&Tensor; 2], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let dw_len = if w.track_op() { w.elem_count() } else { 0 };
        let (dx, dw) = backward(self, &values(x)?, &values(w)?, &values(g)?, dw_len);
        Ok([gradient(x, || Ok(dx))?, gradient(w, || Ok(dw))?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, frozen};

    fn case(dims: &[usize]) -> Case<'static> {
        let d = *dims.last().unwrap();
        Case::new(
            "rms_norm",
            &[dims, &[d]],
            |t, kernels| rms_norm(&t[0], &t[1], 1e-6, kernels),
            |t| rms_norm_plain(&t[0], &t[1], 1e-6),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for dims in [&[3, 5][..], &[2, 7, 33], &[1, 64], &[5, 70, 96]] {
            case(dims).agrees(2e-6);
        }
    }

    #[test]
    fn a_device_computes_bf16() {
        case(&[5, 7, 96]).agrees_in_bf16(1e-2);
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 3, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[4, 50, 96]).is_deterministic();
    }

    #[test]
    fn a_frozen_weight_receives_no_gradient() {
        frozen(&case(&[4, 8]), 1);
    }

    #[test]
    fn a_weight_of_another_width_is_an_error() {
        let x = Tensor::ones((2, 4), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        let error = rms_norm(&x, &x.get(0).unwrap().narrow(0, 0, 3).unwrap(), 1e-6, Kernels::Fused);
        assert!(error.unwrap_err().to_string().contains("[3]"));
    }
}
