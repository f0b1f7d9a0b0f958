//! The gate of a gated feed-forward network.

mod device;

use candle_core::{Layout, Result, Tensor, bail};
use rayon::prelude::*;

use crate::activation::{Activation, Curve, with_curve};
use crate::graph::composed2;
use crate::kernels::{Kernels, Path};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel::{TASK, build, tail, zeros};
use crate::values::values;
use crate::vectors::vectorized;

/// `y = f(gate) ⊙ up`: what is between the linear maps of a gated feed-forward network (Shazeer 2020, arXiv 2002.05202). With
/// [`Activation::Silu`] it is SwiGLU, with [`Activation::Gelu`] and [`Activation::GeluTanh`] GeGLU.
///
/// `gate` and `up` have the same shape, of any rank, which is the result's. Gradients reach both if they are tracked. The fused
/// version saves its arguments only; each of its passes reads and writes every number once.
///
/// # Errors
///
/// If the shapes differ.
pub fn gated(gate: &Tensor, up: &Tensor, activation: Activation, kernels: Kernels) -> Result<Tensor> {
    check_shapes(gate, up)?;
    match kernels.path_for(&[gate, up]) {
        Path::Cpu => gate.contiguous()?.apply_op2(&up.contiguous()?, Fused(Gate(activation))),
        Path::Device => composed2(device::OnDevice(Gate(activation)), gate, up),
        Path::Plain => gated_plain(gate, up, activation),
    }
}

/// [`gated`], composed of candle's own operations.
///
/// # Errors
///
/// As [`gated`].
pub fn gated_plain(gate: &Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
    check_shapes(gate, up)?;
    activation.forward(gate, Kernels::Plain)? * up
}

fn check_shapes(gate: &Tensor, up: &Tensor) -> Result<()> {
    if gate.dims() != up.dims() {
        bail!("gated: gate {:?} and up {:?} must have the same shape", gate.dims(), up.dims());
    }
    Ok(())
}

struct Gate(Activation);

vectorized! {
    fn forward(activation: Activation, gate: &[f32], up: &[f32]) -> Vec<f32> {
        build(gate.len(), TASK, |start, y| {
            activation.apply(y, tail(gate, start));
            for (y, up) in y.iter_mut().zip(tail(up, start)) {
                *y *= up;
            }
        })
    }

    /// `g ⊙ up ⊙ f'(gate)`.
    fn gate_gradient(activation: Activation, gate: &[f32], up: &[f32], g: &[f32]) -> Vec<f32> {
        build(gate.len(), TASK, |start, d| {
            with_curve!(activation, C => {
                let rest = tail(gate, start).iter().zip(tail(up, start)).zip(tail(g, start));
                for (d, ((gate, up), g)) in d.iter_mut().zip(rest) {
                    *d = C::gradient(*gate, g * up);
                }
            });
        })
    }

    /// [`gate_gradient`] and `g ⊙ f(gate)`.
    fn both_gradients(activation: Activation, gate: &[f32], up: &[f32], g: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut d_gate, mut d_up) = (zeros(gate.len()), zeros(gate.len()));
        let parts = d_gate.par_chunks_mut(TASK).zip(d_up.par_chunks_mut(TASK)).enumerate();
        parts.for_each(|(i, (d_gate, d_up))| {
            let start = i * TASK;
            with_curve!(activation, C => {
                let rest = tail(gate, start).iter().zip(tail(up, start)).zip(tail(g, start));
                for ((d_gate, d_up), ((gate, up), g)) in d_gate.iter_mut().zip(d_up).zip(rest) {
                    *d_gate = C::gradient(*gate, g * up);
                    *d_up = g * C::value(*gate);
                }
            });
        });
        (d_gate, d_up)
    }
}

impl Operation<2> for Gate {
    const NAME: &'static str = "gated";

    fn forward(&self, [gate, up]: [&[f32]; 2], _first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(self.0, gate, up))
    }

    fn backward(&self, [gate, up]: [&Tensor; 2], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let (gates, ups, g) = (values(gate)?, values(up)?, values(g)?);
        if gate.track_op() && up.track_op() {
            let (d_gate, d_up) = both_gradients(self.0, &gates, &ups, &g);
            return Ok([gradient(gate, || Ok(d_gate))?, gradient(up, || Ok(d_up))?]);
        }
        let d_gate = gradient(gate, || Ok(gate_gradient(self.0, &gates, &ups, &g)))?;
        Ok([d_gate, gradient(up, || Ok(forward(self.0, &gates, &g)))?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, frozen};
    use candle_core::{DType, Device};

    const ALL: [Activation; 4] = [Activation::Relu, Activation::GeluTanh, Activation::Gelu, Activation::Silu];

    fn case(activation: Activation, dims: &[usize]) -> Case<'static> {
        Case::new(
            "gated",
            &[dims, dims],
            move |t, kernels| gated(&(&t[0] * 3.0)?, &t[1], activation, kernels),
            move |t| gated_plain(&(&t[0] * 3.0)?, &t[1], activation),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        for activation in ALL {
            for dims in [&[1][..], &[2, 7, 33], &[40_000]] {
                case(activation, dims).agrees(1e-6);
            }
        }
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        ALL.into_iter().for_each(|activation| case(activation, &[2, 5]).matches_finite_differences());
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        ALL.into_iter().for_each(|activation| case(activation, &[40_001]).is_deterministic());
    }

    #[test]
    fn a_constant_argument_receives_no_gradient() {
        for activation in ALL {
            frozen(&case(activation, &[4, 8]), 0);
            frozen(&case(activation, &[4, 8]), 1);
        }
    }

    #[test]
    fn halves_of_one_tensor_get_their_gradients() {
        let halves = |t: &Tensor, kernels| {
            let halves = t.chunk(2, 1)?;
            gated(&halves[0], &halves[1], Activation::Gelu, kernels)
        };
        let case = Case::new(
            "halves",
            &[&[5, 14]],
            move |t, kernels| halves(&t[0], kernels),
            move |t| halves(&t[0], Kernels::Plain),
        );
        case.agrees(1e-6);
        case.matches_finite_differences();
    }

    #[test]
    fn shapes_that_differ_are_named() {
        let t = |n: usize| Tensor::ones((2, n), DType::F32, &Device::Cpu).unwrap();
        for kernels in [Kernels::Fused, Kernels::Plain] {
            let error = gated(&t(3), &t(4), Activation::Silu, kernels).unwrap_err().to_string();
            assert!(error.contains("[2, 3]") && error.contains("[2, 4]"), "{error}");
        }
    }
}
