//! Every activation against its plain version.

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::testing::Case;

const ALL: [Activation; 4] = [Activation::Relu, Activation::GeluTanh, Activation::Gelu, Activation::Silu];

/// Arguments in `[-3, 3)`, where no activation is straight.
fn case(activation: Activation, dims: &[usize]) -> Case<'static> {
    Case::new(
        "activation",
        &[dims],
        move |t, kernels| activation.forward(&(&t[0] * 3.0)?, kernels),
        move |t| activation.forward(&(&t[0] * 3.0)?, Kernels::Plain),
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
    for activation in ALL {
        case(activation, &[2, 5]).matches_finite_differences();
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    for activation in ALL {
        case(activation, &[40_001]).is_deterministic();
    }
}

#[test]
fn the_functions_are_candles() {
    let x = (crate::testing::random(&[1000], 3) * 5.0).unwrap();
    let x = x.to_dtype(candle_core::DType::F32).unwrap();
    for (ours, candles) in [
        (relu(&x, Kernels::Fused), x.relu()),
        (gelu_tanh(&x, Kernels::Fused), x.gelu()),
        (gelu(&x, Kernels::Fused), x.gelu_erf()),
        (silu(&x, Kernels::Fused), x.silu()),
    ] {
        assert!(crate::testing::error(&ours.unwrap(), &candles.unwrap()) < 1e-6);
    }
}

#[test]
fn the_tails_are_exact_and_finite() {
    for (activation, low) in [(Activation::GeluTanh, -50.), (Activation::Gelu, -50.), (Activation::Silu, -150.)] {
        let x = Var::new(&[-1e30f32, low, 0., 50., 1e15], &Device::Cpu).unwrap();
        let y = activation.forward(&x, Kernels::Fused).unwrap();
        assert_eq!(y.to_vec1::<f32>().unwrap(), [0., 0., 0., 50., 1e15], "{activation:?}");
        let grads = y.backward().unwrap();
        let dx = grads.get(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx, [0., 0., 0.5, 1., 1.], "{activation:?}");
    }
}

#[test]
fn nan_is_not_hidden() {
    let x = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
    for activation in ALL {
        let y = activation.forward(&x, Kernels::Fused).unwrap();
        assert!(y.to_vec1::<f32>().unwrap()[0].is_nan(), "{activation:?}");
    }
}
