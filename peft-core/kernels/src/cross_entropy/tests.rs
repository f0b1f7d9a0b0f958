#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{Device, Var};

use super::*;
use crate::testing::{Case, error, frozen, random};

const SMOOTHED: SmoothedCrossEntropy =
    SmoothedCrossEntropy { label_smoothing: 0.1, ignore_index: 0, reduction: Reduction::Sum };

/// Labels below `vocab`, including 0, which is ignored.
fn labels(n: usize, vocab: usize) -> Tensor {
    let labels = (0..n).map(|i| ((i * i * 7 + i) % vocab) as u32);
    Tensor::from_iter(labels, &Device::Cpu).unwrap()
}

fn case(n: usize, d: usize, vocab: usize, options: SmoothedCrossEntropy) -> Case<'static> {
    let (fused_labels, plain_labels) = (labels(n, vocab), labels(n, vocab));
    Case::new(
        "smoothed_cross_entropy",
        &[&[n, d], &[vocab, d]],
        move |t, kernels| smoothed_cross_entropy([&t[0], &t[1], &fused_labels], &options, kernels),
        move |t| smoothed_cross_entropy_plain([&t[0], &t[1], &plain_labels], &options),
    )
}

#[test]
fn values_and_gradients_agree_with_plain_f64() {
    case(4, 5, 7, SMOOTHED).agrees(3e-6);
    case(300, 64, 1100, SMOOTHED).agrees(3e-6);
    case(300, 64, 1100, SmoothedCrossEntropy::default()).agrees(3e-6);
    let mean = Reduction::Mean;
    case(130, 33, 50, SmoothedCrossEntropy { reduction: mean, ..SMOOTHED }).agrees(3e-6);
}

#[test]
fn plain_gradients_are_the_finite_differences() {
    case(4, 3, 5, SMOOTHED).matches_finite_differences();
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    case(300, 64, 1100, SMOOTHED).is_deterministic();
}

#[test]
fn a_frozen_weight_receives_no_gradient_nor_does_a_constant_hidden() {
    frozen(&case(5, 4, 7, SMOOTHED), 1);
    frozen(&case(5, 4, 7, SMOOTHED), 0);
}

#[test]
fn equal_logits_cost_ln_v_per_token_that_counts() {
    let hidden = Tensor::zeros((4, 3), DType::F32, &Device::Cpu).unwrap();
    let weight = Tensor::ones((8, 3), DType::F32, &Device::Cpu).unwrap();
    let labels = Tensor::new(&[3u32, 0, 7, 0], &Device::Cpu).unwrap();
    for (reduction, expected) in [(Reduction::Sum, 2.0 * 8f32.ln()), (Reduction::Mean, 8f32.ln())] {
        let options = SmoothedCrossEntropy { reduction, ..SMOOTHED };
        for kernels in [Kernels::Fused, Kernels::Plain] {
            let loss = smoothed_cross_entropy([&hidden, &weight, &labels], &options, kernels);
            let loss = loss.unwrap().to_scalar::<f32>().unwrap();
            assert!((loss - expected).abs() < 1e-6, "{reduction:?} {kernels:?}: {loss}");
        }
    }
}

#[test]
fn the_gradient_is_scaled_by_what_follows_and_backward_may_run_twice() {
    let hidden = Var::from_tensor(&random(&[3, 4], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let weight = random(&[6, 4], 2).to_dtype(DType::F32).unwrap();
    let loss = smoothed_cross_entropy([&hidden, &weight, &labels(3, 6)], &SMOOTHED, Kernels::Fused).unwrap();
    let gradient = |loss: &Tensor| loss.backward().unwrap().get(&hidden).unwrap().clone();
    let once = gradient(&loss);
    assert_eq!(error(&gradient(&loss), &once), 0.0);
    let thrice = gradient(&(&loss * 3.0).unwrap());
    assert!(error(&thrice, &(once * 3.0).unwrap()) < 1e-6);
}

#[test]
fn only_ignored_labels_sum_to_zero_with_zero_gradients_and_have_no_mean() {
    let hidden = Var::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
    let labels = Tensor::zeros(2, DType::U32, &Device::Cpu).unwrap();
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let run = |options| smoothed_cross_entropy([&hidden, &hidden.detach(), &labels], options, kernels);
        let loss = run(&SMOOTHED).unwrap();
        assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
        let gradient = loss.backward().unwrap().get(&hidden).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(gradient, [[0.0; 3]; 2]);
        let mean = SmoothedCrossEntropy { reduction: Reduction::Mean, ..SMOOTHED };
        assert!(run(&mean).unwrap_err().to_string().contains("no mean"));
    }
}

#[test]
fn only_an_ignored_label_may_be_outside_the_vocabulary() {
    let t = |dims: (usize, usize)| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let labels = Tensor::new(&[1u32, u32::MAX], &Device::Cpu).unwrap();
    let ignoring = SmoothedCrossEntropy { ignore_index: u32::MAX, ..SMOOTHED };
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let run = |options| smoothed_cross_entropy([&t((2, 3)), &t((4, 3)), &labels], options, kernels);
        assert!(run(&ignoring).is_ok());
        let error = run(&SMOOTHED).unwrap_err().to_string();
        assert!(error.contains("label 4294967295 of row 1"), "{error}");
    }
}

#[test]
fn wrong_shapes_and_smoothing_are_named() {
    let t = |dims: (usize, usize)| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let run = |weight, options: &SmoothedCrossEntropy| {
        let loss = smoothed_cross_entropy([&t((2, 3)), &t(weight), &labels(2, 4)], options, Kernels::Fused);
        loss.unwrap_err().to_string()
    };
    assert!(run((4, 5), &SMOOTHED).contains("[4, 5]"));
    let options = SmoothedCrossEntropy { label_smoothing: 1.5, ..SMOOTHED };
    assert!(run((4, 3), &options).contains("1.5"));
}

#[test]
fn a_frozen_bf16_weight_is_within_its_rounding() {
    use candle_core::{DType, Device, Var};
    let hidden = Var::from_tensor(&random(&[70, 64], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let weight = random(&[96, 64], 2).to_dtype(DType::BF16).unwrap();
    let labels = Tensor::arange(0u32, 70, &Device::Cpu).unwrap();
    let options = SmoothedCrossEntropy { label_smoothing: 0.1, ..SmoothedCrossEntropy::default() };
    let run = |kernels| {
        let loss = smoothed_cross_entropy([&hidden, &weight, &labels], &options, kernels).unwrap();
        let gradient = loss.backward().unwrap().get(&hidden).unwrap().clone();
        (loss.to_scalar::<f32>().unwrap(), gradient)
    };
    let ((fused, fused_gradient), (plain, plain_gradient)) = (run(Kernels::Fused), run(Kernels::Plain));
    assert!((fused - plain).abs() < 2e-3 * plain, "{fused} {plain}");
    let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    assert!(norm(&(&fused_gradient - &plain_gradient).unwrap()) < 1e-2 * norm(&plain_gradient));
}

#[test]
fn on_a_device_parts_of_the_rows_give_what_all_rows_give() {
    let hidden = Var::from_tensor(&random(&[10, 4], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let weight = Var::from_tensor(&random(&[6, 4], 2).to_dtype(DType::F32).unwrap()).unwrap();
    let labels = labels(10, 6);
    for reduction in [Reduction::Sum, Reduction::Mean] {
        let options = SmoothedCrossEntropy { reduction, ..SMOOTHED };
        let run = |most_bytes| {
            let loss =
                DeviceLoss::apply([hidden.as_tensor(), weight.as_tensor(), &labels], &options, most_bytes).unwrap();
            let gradients = loss.backward().unwrap();
            [loss.detach(), gradients.get(&hidden).unwrap().clone(), gradients.get(&weight).unwrap().clone()]
        };
        // Three rows of six numbers; one row; not even one.
        for most_bytes in [3 * 6 * 4, 6 * 4, 1] {
            for (parts, whole) in run(Some(most_bytes)).iter().zip(&run(None)) {
                assert!(error(parts, whole) < 1e-6, "{reduction:?} {most_bytes}");
            }
        }
    }
}

#[test]
fn on_a_device_a_frozen_bf16_weight_is_within_its_rounding() {
    let hidden = Var::from_tensor(&random(&[70, 64], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let weight = random(&[96, 64], 2).to_dtype(DType::BF16).unwrap();
    let labels = labels(70, 96);
    let exact = Var::from_tensor(&hidden.to_dtype(DType::F64).unwrap()).unwrap();
    let run = |hidden: &Var, weight: &Tensor, kernels| {
        let loss = smoothed_cross_entropy([hidden, weight, &labels], &SMOOTHED, kernels).unwrap();
        [loss.detach(), loss.backward().unwrap().get(hidden).unwrap().clone()]
    };
    let found = run(&hidden, &weight, Kernels::Device);
    let plain = run(&exact, &weight.to_dtype(DType::F64).unwrap(), Kernels::Plain);
    for (found, plain) in found.iter().zip(&plain) {
        assert!(found.dtype() == DType::F32 && error(found, plain) < 1e-2);
    }
}

#[test]
fn a_device_checks_labels_on_the_cpu() {
    let t = |dims: (usize, usize)| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let run = |label: u32, options| {
        let labels = Tensor::new(&[1u32, label], &Device::Cpu).unwrap();
        smoothed_cross_entropy([&t((2, 3)), &t((4, 3)), &labels], options, Kernels::Device)
    };
    assert!(run(7, &SMOOTHED).unwrap_err().to_string().contains("label 7 of row 1"));
    // One label is ignored, and far outside of the vocabulary.
    let ignoring = SmoothedCrossEntropy { ignore_index: 1000, ..SMOOTHED };
    let loss = run(1000, &ignoring).unwrap().to_scalar::<f32>().unwrap();
    assert!((loss - 4f32.ln()).abs() < 1e-6, "{loss}");
}
