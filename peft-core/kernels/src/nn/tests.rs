//! Every layer against candle-nn's forward pass, against `f64`, and by finite differences.

use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;

use super::*;
use crate::testing::{Case, error, frozen, random};

type Function = fn(&[Tensor]) -> Result<Tensor>;

/// A layer, its twin of candle-nn, and the shapes of its tensors.
struct Twin {
    name: &'static str,
    shapes: &'static [&'static [usize]],
    ours: Function,
    candles: Function,
}

macro_rules! twins {
    ($($name:literal $shapes:expr, |$t:ident| $call:expr;)+) => {
        [$(Twin {
            name: $name,
            shapes: &$shapes,
            ours: |$t| {
                use super as nn;
                $call
            },
            candles: |$t| {
                use candle_nn as nn;
                $call
            },
        }),+]
    };
}

/// The layers and operations that this module computes itself.
fn twins() -> Vec<Twin> {
    let layers = twins! {
        "Linear" [&[2, 7, 33], &[5, 33], &[5]],
            |t| nn::Linear::new(t[1].clone(), Some(t[2].clone())).forward(&t[0]);
        "Linear, matrix" [&[7, 33], &[5, 33], &[5]],
            |t| nn::Linear::new(t[1].clone(), Some(t[2].clone())).forward(&t[0]);
        "Linear, four dimensions" [&[2, 3, 4, 5], &[6, 5]], |t| nn::Linear::new(t[1].clone(), None).forward(&t[0]);
        "LayerNorm" [&[2, 7, 33], &[33], &[33]],
            |t| nn::LayerNorm::new(t[1].clone(), t[2].clone(), 1e-5).forward(&t[0]);
        "LayerNorm, no bias" [&[2, 3, 2, 33], &[33]], |t| nn::LayerNorm::new_no_bias(t[1].clone(), 1e-5).forward(&t[0]);
        "LayerNorm, vector" [&[33], &[33], &[33]],
            |t| nn::LayerNorm::new(t[1].clone(), t[2].clone(), 1e-5).forward(&t[0]);
        "LayerNorm as RMS norm" [&[4, 33], &[33]], |t| nn::LayerNorm::rms_norm(t[1].clone(), 1e-6).forward(&t[0]);
        "RmsNorm" [&[2, 7, 33], &[33]], |t| nn::RmsNorm::new(t[1].clone(), 1e-6).forward(&t[0]);
        "RmsNorm::forward_diff" [&[7, 33], &[33]], |t| nn::RmsNorm::new(t[1].clone(), 1e-6).forward_diff(&t[0]);
        "Embedding" [&[9, 5]], |t| nn::Embedding::new(t[0].clone(), 5).forward(&ids(&[2, 3, 2]));
        "Embedding, vector" [&[9, 5]], |t| nn::Embedding::new(t[0].clone(), 5).forward(&ids(&[7]));
    };
    let operations = twins! {
        "ops::softmax_last_dim" [&[2, 3, 4, 33]], |t| nn::ops::softmax_last_dim(&t[0]);
        "ops::softmax" [&[2, 7, 33]], |t| nn::ops::softmax(&t[0], candle_core::D::Minus1);
        "ops::softmax, not the last dimension" [&[2, 7, 33]], |t| nn::ops::softmax(&t[0], 1);
        "ops::softmax, first dimension" [&[7, 3, 5]], |t| nn::ops::softmax(&t[0], 0);
        "ops::silu" [&[2, 7, 33]], |t| nn::ops::silu(&(&t[0] * 4.)?);
        "ops::swiglu" [&[2, 7, 34]], |t| nn::ops::swiglu(&(&t[0] * 4.)?);
        "ops::rms_norm" [&[2, 7, 33], &[33]], |t| nn::ops::rms_norm(&t[0], &t[1], 1e-6);
        "ops::rms_norm_slow" [&[2, 7, 33], &[33]], |t| nn::ops::rms_norm_slow(&t[0], &t[1], 1e-6);
        "ops::layer_norm" [&[2, 7, 33], &[33], &[33]], |t| nn::ops::layer_norm(&t[0], &t[1], &t[2], 1e-5);
        "ops::layer_norm_slow" [&[2, 7, 33], &[33], &[33]], |t| nn::ops::layer_norm_slow(&t[0], &t[1], &t[2], 1e-5);
        "rope" [&[2, 3, 5, 8]], |t| angles(&t[0], &[7, 4]).and_then(|[c, s]| nn::rotary_emb::rope(&t[0], &c, &s));
        "rope, angles for each example" [&[2, 3, 5, 8]],
            |t| angles(&t[0], &[2, 5, 4]).and_then(|[c, s]| nn::rotary_emb::rope(&t[0], &c, &s));
        "rope_i" [&[2, 3, 5, 8]], |t| angles(&t[0], &[7, 4]).and_then(|[c, s]| nn::rotary_emb::rope_i(&t[0], &c, &s));
        "rope_thd" [&[2, 5, 3, 8]],
            |t| angles(&t[0], &[7, 4]).and_then(|[c, s]| nn::rotary_emb::rope_thd(&t[0], &c, &s));
        "rope_slow" [&[2, 3, 5, 8]],
            |t| angles(&t[0], &[7, 4]).and_then(|[c, s]| nn::rotary_emb::rope_slow(&t[0], &c, &s));
        "rope_i_slow" [&[2, 3, 5, 8]],
            |t| angles(&t[0], &[7, 4]).and_then(|[c, s]| nn::rotary_emb::rope_i_slow(&t[0], &c, &s));
    };
    layers.into_iter().chain(operations).collect()
}

/// Row numbers below 9.
fn ids(dims: &[usize]) -> Tensor {
    let count: usize = dims.iter().product();
    Tensor::from_iter((0..count as u32).map(|i| i * 5 % 9), &Device::Cpu).unwrap().reshape(dims).unwrap()
}

/// Cosines and sines, of the type of `x`.
fn angles(x: &Tensor, dims: &[usize]) -> Result<[Tensor; 2]> {
    let angles = (random(dims, 7) * 3.)?;
    Ok([angles.cos()?.to_dtype(x.dtype())?, angles.sin()?.to_dtype(x.dtype())?])
}

impl Twin {
    /// Our layer in `f32`, which is fused, next to itself in `f64`, which is plain.
    fn case(&self) -> Case<'static> {
        let ours = self.ours;
        Case::new(self.name, self.shapes, move |t, _| ours(t), ours)
    }

    fn arguments(&self, dtype: DType) -> Vec<Tensor> {
        self.shapes.iter().zip(1..).map(|(dims, seed)| random(dims, seed).to_dtype(dtype).unwrap()).collect()
    }
}

/// candle-nn's softmax adds in the type of its argument, so numbers of sixteen bits differ by more than a rounding.
#[test]
fn values_are_candle_nns() {
    for twin in twins() {
        for (dtype, bound) in [(DType::F32, 1e-6), (DType::BF16, 2e-2), (DType::F16, 2e-3)] {
            let arguments = twin.arguments(dtype);
            let (ours, candles) = ((twin.ours)(&arguments).unwrap(), (twin.candles)(&arguments).unwrap());
            assert_eq!(ours.dtype(), candles.dtype());
            let error = error(&ours, &candles);
            assert!(error < bound, "{} in {dtype:?} is off by {error:e}", twin.name);
        }
    }
}

#[test]
fn values_and_gradients_agree_with_f64() {
    twins().iter().for_each(|twin| twin.case().agrees(2e-6));
}

#[test]
fn gradients_are_the_finite_differences() {
    twins().iter().for_each(|twin| twin.case().matches_finite_differences());
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    twins().iter().for_each(|twin| twin.case().is_deterministic());
}

#[test]
fn a_frozen_weight_receives_no_gradient() {
    for twin in twins().iter().filter(|twin| twin.shapes.len() > 1) {
        (1..twin.shapes.len()).for_each(|i| frozen(&twin.case(), i));
    }
}

#[test]
fn values_and_gradients_of_sixteen_bits_are_those_of_f32_rounded() {
    for twin in twins() {
        let run = |dtype: DType| {
            let numbers = twin.arguments(DType::BF16).into_iter().map(|t| t.to_dtype(dtype).unwrap());
            let variables: Vec<Var> = numbers.map(|t| Var::from_tensor(&t).unwrap()).collect();
            let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
            let y = (twin.ours)(&tensors).unwrap();
            let c = random(y.dims(), 99).to_dtype(DType::F32).unwrap();
            let loss = (y.to_dtype(DType::F32).unwrap() * c).unwrap().sum_all().unwrap();
            let grads = loss.backward().unwrap();
            let gradients = variables.iter().map(|v| grads.get(v).unwrap().clone());
            std::iter::once(y).chain(gradients).collect::<Vec<_>>()
        };
        for (half, single) in run(DType::BF16).iter().zip(&run(DType::F32)) {
            assert_eq!(half.dtype(), DType::BF16);
            let error = error(half, single);
            println!("{}: {error:e}", twin.name);
            assert!(error < 2e-2, "{}: {error:e}", twin.name);
        }
    }
}

#[test]
fn strided_arguments_are_accepted() {
    let x = random(&[33, 7], 1).to_dtype(DType::F32).unwrap();
    let one = Tensor::ones(33, DType::F32, &Device::Cpu).unwrap();
    let (strided, copied) = (x.t().unwrap(), x.t().unwrap().contiguous().unwrap());
    let layers: [Box<dyn Module>; 2] =
        [Box::new(LayerNorm::new(one.clone(), one.clone(), 1e-5)), Box::new(RmsNorm::new(one, 1e-5))];
    for layer in layers {
        assert_eq!(error(&layer.forward(&strided).unwrap(), &layer.forward(&copied).unwrap()), 0.);
    }
    let softmax = |x| ops::softmax_last_dim(x).unwrap();
    assert_eq!(error(&softmax(&strided), &softmax(&copied)), 0.);
}

#[test]
fn empty_tensors_stay_empty() {
    let t = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    let (x, w, wide) = (t(&[0, 4]), t(&[4]), t(&[3, 4]));
    assert_eq!(Linear::new(wide, Some(t(&[3]))).forward(&x).unwrap().dims(), [0, 3]);
    assert_eq!(LayerNorm::new(w.clone(), w.clone(), 1e-5).forward(&x).unwrap().dims(), [0, 4]);
    assert_eq!(RmsNorm::new(w, 1e-5).forward(&x).unwrap().dims(), [0, 4]);
    assert_eq!(ops::softmax_last_dim(&x).unwrap().dims(), [0, 4]);
    assert_eq!(ops::swiglu(&x).unwrap().dims(), [0, 2]);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let t = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    let (x, w) = (t(&[2, 4]), t(&[3]));
    let results = [
        LayerNorm::new(w.clone(), w.clone(), 1e-5).forward(&x),
        RmsNorm::new(w.clone(), 1e-5).forward(&x),
        Linear::new(t(&[4, 4]), Some(w.clone())).forward(&x),
        ops::layer_norm(&x, &w, &w, 1e-5),
        ops::rms_norm(&x, &w, 1e-5),
        Embedding::new(w, 5).forward(&ids(&[2])),
    ];
    for result in results {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("[3]"), "{error}");
    }
    assert!(ops::softmax(&x, 2).is_err());
    assert!(ops::swiglu(&t(&[2, 3])).unwrap_err().to_string().contains("[2, 2]"));
}

/// A backend that writes down what is asked of it. It has tensors of the names in `old`.
struct Recorder {
    asked: Arc<Mutex<Vec<String>>>,
    old: &'static [&'static str],
}

impl SimpleBackend for Recorder {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.asked.lock().unwrap().push(format!("{name} {shape:?} {init:?}"));
        Tensor::zeros(shape, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.get(Shape::from(()), name, Init::Const(0.), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.old.contains(&name)
    }
}

/// What `load` asks a builder for.
fn asked(old: &'static [&'static str], load: impl FnOnce(VarBuilder<'_>) -> Result<()>) -> Vec<String> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder { asked: asked.clone(), old };
    load(VarBuilder::from_backend(Box::new(recorder), DType::F32, Device::Cpu)).unwrap();
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[test]
fn weights_have_candle_nns_names_shapes_and_initial_values() {
    macro_rules! load {
        ($nn:ident, $vb:ident) => {{
            $nn::linear(3, 4, $vb.pp("a"))?;
            $nn::linear_no_bias(3, 4, $vb.pp("b"))?;
            $nn::linear_b(3, 4, true, $vb.pp("c"))?;
            $nn::linear_b(3, 4, false, $vb.pp("d"))?;
            $nn::layer_norm(5, 1e-5, $vb.pp("e"))?;
            $nn::layer_norm(5, $nn::LayerNormConfig { affine: false, ..Default::default() }, $vb.pp("f"))?;
            $nn::layer_norm_no_bias(5, 1e-5, $vb.pp("g"))?;
            $nn::rms_norm(5, 1e-5, $vb.pp("h"))?;
            $nn::embedding(6, 7, $vb.pp("i"))?;
            Ok(())
        }};
    }
    use super as ours;
    for old in [&[][..], &["e.gamma", "e.beta", "h.gamma"], &["e.weight", "e.gamma", "e.beta"]] {
        let expected = asked(old, |vb| load!(candle_nn, vb));
        assert_eq!(expected.len(), 12);
        assert_eq!(asked(old, |vb| load!(ours, vb)), expected);
    }
}

/// What this module passes on from candle-nn trains.
#[test]
fn gradients_of_candle_nns_own_layers_are_the_finite_differences() {
    let functions: [(&'static str, &'static [&'static [usize]], Function); 18] = [
        ("ops::sigmoid", &[&[2, 5]], |t| ops::sigmoid(&t[0])),
        ("ops::hard_sigmoid", &[&[2, 5]], |t| ops::hard_sigmoid(&t[0])),
        ("ops::mish", &[&[2, 5]], |t| ops::mish(&t[0])),
        ("ops::leaky_relu", &[&[2, 5]], |t| ops::leaky_relu(&t[0], 0.1)),
        ("ops::log_softmax", &[&[2, 5]], |t| ops::log_softmax(&t[0], 1)),
        ("ops::pixel_shuffle", &[&[1, 4, 2, 2]], |t| ops::pixel_shuffle(&t[0], 2)),
        ("ops::pixel_unshuffle", &[&[1, 1, 4, 4]], |t| ops::pixel_unshuffle(&t[0], 2)),
        ("Activation::Relu2", &[&[2, 5]], |t| Activation::Relu2.forward(&t[0])),
        ("Activation::Relu6", &[&[2, 5]], |t| Activation::Relu6.forward(&t[0])),
        ("Activation::Silu", &[&[2, 5]], |t| Activation::Silu.forward(&t[0])),
        ("Activation::Swiglu", &[&[2, 6]], |t| Activation::Swiglu.forward(&t[0])),
        ("Activation::Swish", &[&[2, 5]], |t| Activation::Swish.forward(&t[0])),
        ("Activation::HardSwish", &[&[2, 5]], |t| Activation::HardSwish.forward(&t[0])),
        ("Activation::Elu", &[&[2, 5]], |t| Activation::Elu(0.7).forward(&t[0])),
        ("PReLU", &[&[2, 5], &[5]], |t| PReLU::new(t[1].clone(), false).forward(&t[0])),
        ("GroupNorm", &[&[2, 4, 3], &[4], &[4]], |t| {
            GroupNorm::new(t[1].clone(), t[2].clone(), 4, 2, 1e-5)?.forward(&t[0])
        }),
        ("loss::cross_entropy", &[&[3, 9]], |t| loss::cross_entropy(&t[0], &ids(&[3]))),
        ("loss::mse", &[&[2, 5], &[2, 5]], |t| loss::mse(&t[0], &t[1])),
    ];
    for (name, shapes, function) in functions {
        Case::new(name, shapes, move |t, _| function(t), function).matches_finite_differences();
    }
}

/// With a stride, candle's backward pass of images that are not square may be an error, which is not silent.
#[test]
fn gradients_of_candle_nns_conv2d_are_the_finite_differences() {
    for (padding, stride, groups) in [(1, 1, 1), (0, 2, 2)] {
        let config = Conv2dConfig { padding, stride, groups, ..Default::default() };
        let conv = move |t: &[Tensor]| Conv2d::new(t[1].clone(), Some(t[2].clone()), config).forward(&t[0]);
        let shapes: [&[usize]; 3] = [&[2, 2, 4, 4], &[2, 2 / groups, 2, 2], &[2]];
        Case::new("Conv2d", &shapes, move |t, _| conv(t), conv).matches_finite_differences();
    }
}

#[test]
fn candle_nns_gelus_have_gradients_within_1e_6() {
    for (theirs, ours) in [
        (Activation::Gelu, crate::Activation::Gelu),
        (Activation::NewGelu, crate::Activation::GeluTanh),
        (Activation::GeluPytorchTanh, crate::Activation::GeluTanh),
    ] {
        let case = Case::new(
            "gelu",
            &[&[40]],
            move |t, _| theirs.forward(&(&t[0] * 4.)?),
            move |t| ours.forward(&(&t[0] * 4.)?, crate::Kernels::Plain),
        );
        case.agrees(1e-6);
    }
}
