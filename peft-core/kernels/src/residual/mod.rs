//! The residual connection around a sub-layer, with dropout on the sub-layer's output.

mod device;

use candle_core::{Layout, Result, Tensor, bail};

use crate::dropout::{DropoutKey, Dropper, dropout_plain, dropped};
use crate::graph::composed2;
use crate::kernels::{Kernels, Path};
use crate::math::add_to;
use crate::operation::{Fused, Operation, gradient};
use crate::parallel;
use crate::values::values;
use crate::vectors::vectorized;

/// `h + Dropout(y)`. Without a key nothing is dropped.
///
/// `h` and `y` have the same shape, of any rank, which is the result's. Gradients reach `h` and `y` if they are tracked. The
/// fused version saves nothing: its backward pass draws the dropout again.
///
/// # Errors
///
/// If the shapes differ, or as [`dropout`](crate::dropout).
pub fn residual(h: &Tensor, y: &Tensor, key: Option<DropoutKey>, kernels: Kernels) -> Result<Tensor> {
    if h.dims() != y.dims() {
        bail!("residual: h {:?} and y {:?} must have the same shape", h.dims(), y.dims());
    }
    match kernels.path_for(&[h, y]) {
        Path::Cpu => h.contiguous()?.apply_op2(&y.contiguous()?, Fused(Residual { dropper: Dropper::of(key)? })),
        Path::Device => composed2(device::OnDevice(Residual { dropper: Dropper::of(key)? }), h, y),
        Path::Plain => residual_plain(h, y, key),
    }
}

/// [`residual`], composed of candle's own operations.
///
/// # Errors
///
/// As [`residual`].
pub fn residual_plain(h: &Tensor, y: &Tensor, key: Option<DropoutKey>) -> Result<Tensor> {
    match key {
        Some(key) => h + dropout_plain(y, key)?,
        None => h + y,
    }
}

struct Residual {
    dropper: Option<Dropper>,
}

vectorized! {
    fn sum(h: &[f32], y: &[f32], dropper: Option<&Dropper>) -> Vec<f32> {
        parallel::build(h.len(), parallel::TASK, |start, sum| {
            for (sum, y) in sum.iter_mut().zip(parallel::tail(y, start)) {
                *sum = *y;
            }
            if let Some(dropper) = dropper {
                dropper.apply(start, sum);
            }
            add_to(sum, parallel::tail(h, start));
        })
    }
}

impl Operation<2> for Residual {
    const NAME: &'static str = "residual";

    fn forward(&self, [h, y]: [&[f32]; 2], _first: &Layout) -> Result<Vec<f32>> {
        Ok(sum(h, y, self.dropper.as_ref()))
    }

    fn backward(&self, [h, y]: [&Tensor; 2], _sum: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let dy = match &self.dropper {
            Some(dropper) => gradient(y, || Ok(dropped(dropper, &values(g)?)))?,
            None => y.track_op().then(|| g.clone()),
        };
        Ok([h.track_op().then(|| g.clone()), dy])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, frozen};

    fn case(dims: &[usize], p: Option<f64>) -> Case<'static> {
        let key = p.map(|p| DropoutKey { p, seed: 3, stream: 4 });
        Case::new(
            "residual",
            &[dims, dims],
            move |t, kernels| residual(&t[0], &t[1], key, kernels),
            move |t| residual_plain(&t[0], &t[1], key),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for p in [None, Some(0.0), Some(0.3)] {
            case(&[3, 5], p).agrees(2e-7);
            case(&[7, 50, 101], p).agrees(2e-7);
        }
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 5], Some(0.3)).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[40_001], Some(0.3)).is_deterministic();
    }

    #[test]
    fn a_constant_argument_receives_no_gradient() {
        frozen(&case(&[4, 8], Some(0.3)), 0);
        frozen(&case(&[4, 8], Some(0.3)), 1);
    }

    #[test]
    fn shapes_that_differ_are_named() {
        let t = |n| Tensor::ones(n, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        let error = residual(&t(3), &t(4), None, Kernels::Fused).unwrap_err().to_string();
        assert!(error.contains("[3]") && error.contains("[4]"), "{error}");
    }
}
