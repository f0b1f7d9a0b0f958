//! Softmax over the last dimension, with a backward pass.

mod device;

use candle_core::{D, Layout, Result, Tensor};

pub(crate) use self::device::{gradient_on_device, softmax_on_device};
use crate::graph::composed1;
use crate::kernels::{Kernels, Path};
use crate::math::{softmax_row, softmax_row_backward};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel;
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;

/// `y_i = exp(x_i) / sum_j exp(x_j)` over the last dimension.
///
/// `x` has one dimension at least; the result has `x`'s shape. The gradient reaches `x` if it is tracked. The fused version
/// saves nothing for its backward pass, which reads the result.
///
/// # Errors
///
/// If `x` is a scalar.
pub fn softmax(x: &Tensor, kernels: Kernels) -> Result<Tensor> {
    match kernels.path_for(&[x]) {
        Path::Cpu => x.contiguous()?.apply_op1(Fused(Softmax)),
        Path::Device => composed1(device::OnDevice, x),
        Path::Plain => softmax_plain(x),
    }
}

/// [`softmax`], composed of candle's own operations.
///
/// # Errors
///
/// As [`softmax`].
pub fn softmax_plain(x: &Tensor) -> Result<Tensor> {
    precisely([x], |[x]| {
        let max = x.max_keepdim(D::Minus1)?.detach();
        let exp = x.broadcast_sub(&max)?.exp()?;
        exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
    })
}

struct Softmax;

vectorized! {
    fn forward(x: &[f32], width: usize) -> Vec<f32> {
        parallel::map_rows(x, width, |y, x| {
            y.copy_from_slice(x);
            softmax_row(y);
        })
    }

    /// Replaces `dx`, the gradient of the result `y`, by that of the argument.
    fn backward(dx: &mut [f32], y: &[f32], width: usize) {
        parallel::for_each_chunk(dx, parallel::rows_per_task(width) * width, |start, dx| {
            let y = parallel::tail(y, start).chunks_exact(width);
            for (dx, y) in dx.chunks_exact_mut(width).zip(y) {
                softmax_row_backward(y, dx);
            }
        });
    }
}

impl Operation<1> for Softmax {
    const NAME: &'static str = "softmax";

    fn forward(&self, [x]: [&[f32]; 1], first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(x, first.dim(D::Minus1)?))
    }

    fn backward(&self, [x]: [&Tensor; 1], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let mut dx = values(g)?.to_vec();
        backward(&mut dx, &values(y)?, x.dim(D::Minus1)?.max(1));
        Ok([gradient(x, || Ok(dx))?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::Case;

    fn case(dims: &[usize]) -> Case<'static> {
        Case::new("softmax", &[dims], |t, kernels| softmax(&t[0], kernels), |t| softmax_plain(&t[0]))
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for dims in [&[5][..], &[3, 1], &[2, 7, 33], &[400, 64]] {
            case(dims).agrees(2e-6);
        }
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[900, 67]).is_deterministic();
    }

    #[test]
    fn masked_scores_get_probability_zero_and_large_ones_do_not_overflow() {
        let x = Tensor::new(&[[3e4f32, -1e9, 3e4]], &candle_core::Device::Cpu).unwrap();
        let y = softmax(&x, Kernels::Fused).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.5, 0.0, 0.5]]);
    }
}
