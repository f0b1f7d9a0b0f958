//! The fused adapter against the plain one.

use candle_core::{DType, Device};

use super::*;
use crate::testing::{Case, frozen};

/// A case with `h` and `y` of `shape` and a bottleneck of width `m`.
fn case(shape: &[usize], m: usize, activation: Activation, norm: bool, p: f64) -> Case<'static> {
    let d = *shape.last().unwrap();
    let shapes: [&[usize]; 8] = [shape, shape, &[m, d], &[m], &[d, m], &[d], &[d], &[d]];
    let key = (p > 0.0).then_some(DropoutKey { p, seed: 8, stream: 9 });
    let parts = move |t: &[Tensor]| -> [Tensor; 8] { t.to_vec().try_into().unwrap() };
    type Options = (Activation, bool, Option<DropoutKey>);
    fn adapter(t: &[Tensor; 8], (activation, norm, dropout): Options) -> Bottleneck<'_> {
        let [_, _, down, down_bias, up, up_bias, gamma, beta] = t;
        let norm = norm.then_some(LayerNorm { gamma, beta, eps: 1e-5 });
        Bottleneck { down, down_bias, activation, up, up_bias, norm, dropout }
    }
    /// Gives `gamma` and `beta` a gradient without a norm too, since a case compares all gradients.
    fn all_used(y: &Tensor, t: &[Tensor; 8], norm: bool) -> Result<Tensor> {
        if norm { Ok(y.clone()) } else { y.broadcast_add(&(&t[6] + &t[7])?) }
    }
    Case::new(
        "bottleneck",
        &shapes,
        move |t, kernels| {
            let t = parts(t);
            all_used(&bottleneck(&t[0], &t[1], &adapter(&t, (activation, norm, key)), kernels)?, &t, norm)
        },
        move |t| {
            let t = parts(t);
            all_used(&bottleneck_plain(&t[0], &t[1], &adapter(&t, (activation, norm, key)))?, &t, norm)
        },
    )
}

#[test]
fn values_and_gradients_agree_with_plain_f64() {
    for activation in [Activation::Relu, Activation::GeluTanh, Activation::Gelu, Activation::Silu] {
        for (norm, p) in [(false, 0.0), (true, 0.0), (true, 0.3)] {
            case(&[3, 5], 2, activation, norm, p).agrees(5e-6);
            case(&[2, 65, 96], 3, activation, norm, p).agrees(5e-6);
            case(&[130, 33], 16, activation, norm, p).agrees(5e-6);
        }
    }
}

#[test]
fn plain_gradients_are_the_finite_differences() {
    case(&[2, 2, 4], 2, Activation::GeluTanh, true, 0.3).matches_finite_differences();
    case(&[2, 2, 4], 2, Activation::Relu, false, 0.0).matches_finite_differences();
    case(&[2, 2, 4], 2, Activation::Gelu, true, 0.0).matches_finite_differences();
    case(&[2, 2, 4], 2, Activation::Silu, true, 0.0).matches_finite_differences();
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    case(&[5, 64, 96], 12, Activation::GeluTanh, true, 0.1).is_deterministic();
}

#[test]
fn a_constant_argument_receives_no_gradient() {
    for i in 0..2 {
        frozen(&case(&[4, 8], 2, Activation::GeluTanh, true, 0.3), i);
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let (x, down, bias, up) = (t(&[2, 4]), t(&[3, 4]), t(&[3]), t(&[4, 2]));
    let adapter = Bottleneck {
        down: &down,
        down_bias: &bias,
        activation: Activation::Relu,
        up: &up,
        up_bias: &t(&[4]),
        norm: None,
        dropout: None,
    };
    let error = bottleneck(&x, &x, &adapter, Kernels::Fused).unwrap_err().to_string();
    assert!(error.contains("[4, 2]") && error.contains("[4, 3]"), "{error}");
}
