//! The bias of a linear map.

mod device;

use candle_core::{D, Layout, Result, Tensor, bail};

use crate::graph::composed2;
use crate::kernels::{Kernels, Path};
use crate::math::add_to;
use crate::operation::{Fused, Operation, gradient};
use crate::parallel;
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;

/// `y = x + b` for every row of `x`.
///
/// `x [.., d]` and `b [d]` give `[.., d]`. Gradients reach `x` and `b` if they are tracked; that of `b` is the sum over the rows, in
/// their order. The fused version saves nothing.
///
/// # Errors
///
/// If `b` is not `[d]`.
pub fn add_bias(x: &Tensor, b: &Tensor, kernels: Kernels) -> Result<Tensor> {
    check_shapes(x, b)?;
    match kernels.path_for(&[x, b]) {
        Path::Cpu => x.contiguous()?.apply_op2(&b.contiguous()?, Fused(Bias)),
        Path::Device => composed2(device::OnDevice, x, b),
        Path::Plain => add_bias_plain(x, b),
    }
}

/// [`add_bias`], composed of candle's own operations.
///
/// # Errors
///
/// As [`add_bias`].
pub fn add_bias_plain(x: &Tensor, b: &Tensor) -> Result<Tensor> {
    check_shapes(x, b)?;
    precisely([x, b], |[x, b]| x.broadcast_add(&b))
}

fn check_shapes(x: &Tensor, b: &Tensor) -> Result<()> {
    if b.dims() != [x.dim(D::Minus1)?] {
        bail!("add_bias: b {:?} does not fit x {:?}", b.dims(), x.dims());
    }
    Ok(())
}

struct Bias;

vectorized! {
    fn forward(x: &[f32], b: &[f32]) -> Vec<f32> {
        parallel::map_rows(x, b.len(), |y, x| {
            for ((y, x), b) in y.iter_mut().zip(x).zip(b) {
                *y = x + b;
            }
        })
    }

    /// The sum of the rows of `g [.., width]`. The sums of blocks of rows are added in their order.
    fn sum_of_rows(g: &[f32], width: usize) -> Vec<f32> {
        let blocks = g.chunks(parallel::rows_per_task(width) * width.max(1)).collect();
        let sums = parallel::map(blocks, |block: &[f32]| {
            let mut sum = vec![0.0; width];
            block.chunks_exact(width.max(1)).for_each(|row| add_to(&mut sum, row));
            sum
        });
        let mut total = vec![0.0; width];
        sums.iter().for_each(|sum| add_to(&mut total, sum));
        total
    }
}

impl Operation<2> for Bias {
    const NAME: &'static str = "add_bias";

    fn forward(&self, [x, b]: [&[f32]; 2], _first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(x, b))
    }

    fn backward(&self, [x, b]: [&Tensor; 2], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let db = gradient(b, || Ok(sum_of_rows(&values(g)?, b.elem_count())))?;
        Ok([x.track_op().then(|| g.clone()), db])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, frozen};

    fn case(dims: &[usize]) -> Case<'static> {
        let width = *dims.last().unwrap();
        Case::new(
            "add_bias",
            &[dims, &[width]],
            |t, kernels| add_bias(&t[0], &t[1], kernels),
            |t| add_bias_plain(&t[0], &t[1]),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for dims in [&[5][..], &[3, 5], &[2, 70, 33], &[5, 70, 96]] {
            case(dims).agrees(1e-6);
        }
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 3, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[7, 50, 96]).is_deterministic();
    }

    #[test]
    fn a_constant_argument_receives_no_gradient() {
        frozen(&case(&[4, 8]), 0);
        frozen(&case(&[4, 8]), 1);
    }

    #[test]
    fn a_bias_of_another_width_is_an_error() {
        let t = |n: usize| Tensor::ones((2, n), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        let error = add_bias(&t(4), &t(3).get(0).unwrap(), Kernels::Fused).unwrap_err().to_string();
        assert!(error.contains("[3]") && error.contains("[2, 4]"), "{error}");
    }
}
