#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::probe::{Finding, operations};
use super::*;
use crate::{Error, Result};

const CPU: &Device = &Device::Cpu;

/// A variable of this shape, with values that depend on its name.
fn var(name: &str, shape: &[usize], dtype: DType) -> (String, Var) {
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| (i as f32 + name.len() as f32).sin()).collect();
    let values = Tensor::from_vec(values, shape, CPU).unwrap().to_dtype(dtype).unwrap();
    (name.to_owned(), Var::from_tensor(&values).unwrap())
}

fn verdicts(report: &GradientReport) -> Vec<Verdict> {
    report.variables.iter().map(|variable| variable.verdict).collect()
}

/// A network of `layers` square maps with `between` them.
struct Network {
    vars: Vec<(String, Var)>,
    between: fn(&Tensor, usize) -> candle_core::Result<Tensor>,
}

impl Network {
    fn new(layers: usize, dtype: DType, between: fn(&Tensor, usize) -> candle_core::Result<Tensor>) -> Self {
        Self { vars: (0..layers).map(|n| var(&format!("w{n:03}"), &[4, 4], dtype)).collect(), between }
    }

    fn loss(&self) -> candle_core::Result<Tensor> {
        let mut x = var("input", &[3, 4], self.vars[0].1.dtype()).1.as_tensor().detach();
        for (number, (_, w)) in self.vars.iter().enumerate() {
            x = (&x + (self.between)(&x.matmul(w)?, number)? * 0.1)?;
        }
        x.sqr()?.mean_all()
    }

    fn check(&self, check: &GradientCheck) -> GradientReport {
        check.run(&self.vars, || self.loss()).unwrap()
    }
}

fn tanh(x: &Tensor, _: usize) -> candle_core::Result<Tensor> {
    x.tanh()
}

#[test]
fn right_gradients_are_right_in_single_and_double_precision() {
    for (dtype, bound) in [(DType::F32, 2e-3), (DType::F64, 1e-7)] {
        for check in [GradientCheck::default(), GradientCheck::quick()] {
            let report = Network::new(5, dtype, tanh).check(&check);
            assert_eq!(verdicts(&report), [Verdict::Right; 5], "{report}");
            assert!(report.largest_error() < bound, "{dtype:?}: {report}");
        }
    }
}

#[test]
fn the_variables_have_their_former_values_afterwards_even_after_an_error() {
    let network = Network::new(3, DType::F32, tanh);
    let values = |network: &Network| -> Vec<Vec<f32>> {
        network.vars.iter().map(|(_, v)| v.flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let before = values(&network);
    _ = network.check(&GradientCheck::default());
    assert_eq!(values(&network), before);
    let mut passes = 0;
    let failed = GradientCheck::default().run(&network.vars, || {
        passes += 1;
        if passes < 9 { network.loss() } else { candle_core::bail!("out of memory") }
    });
    assert!(failed.unwrap_err().to_string().contains("out of memory"));
    assert_eq!(values(&network), before);
}

#[test]
fn a_cut_on_the_only_way_is_a_missing_gradient() {
    let network = Network::new(3, DType::F32, |x, number| if number == 1 { Ok(x.detach()) } else { x.tanh() });
    let report = network.check(&GradientCheck::default());
    // The map before the cut still has the residual connection, and there its gradient is wrong.
    assert_eq!(verdicts(&report), [Verdict::Wrong, Verdict::Missing, Verdict::Right], "{report}");
    let missing = report.with(Verdict::Missing).next().unwrap();
    assert!(missing.to_string().ends_with("found none)"), "{missing}");
    assert_eq!(missing.error, 1.);
}

#[test]
fn among_many_variables_the_few_wrong_ones_are_found_at_once() {
    // The gradient of one map in a hundred is 1.3 times the right one.
    let wrong = |x: &Tensor, number: usize| match number {
        77 => (x.tanh()? * 1.3)? - (x.tanh()?.detach() * 0.3)?,
        _ => x.tanh(),
    };
    let one = Network::new(100, DType::F32, wrong).check(&GradientCheck::quick());
    // The maps before it are wrong too, but far less: the way around has the larger part.
    assert_eq!(one.variables[77].verdict, Verdict::Wrong, "{one}");
    assert!((one.variables[77].error - 0.3 / 1.3).abs() < 0.02, "{one}");
    assert!(
        one.variables[78..].iter().all(|v| v.verdict == Verdict::Right || v.verdict == Verdict::Unchecked),
        "{one}"
    );

    let right = Network::new(100, DType::F32, tanh).check(&GradientCheck::quick());
    assert_eq!(right.count(Verdict::Right), 100, "{right}");
    assert!(right.passes < 60, "{right}");
}

#[test]
fn a_small_part_that_is_missing_shows_along_the_gradient() {
    let (vars, x) = ([var("w", &[40, 40], DType::F32)], var("input", &[3, 40], DType::F32).1);
    let report = GradientCheck::default()
        .run(&vars, || {
            let y = x.as_tensor().detach().matmul(&vars[0].1)?;
            y.sqr()?.mean_all()? + (y.tanh()?.detach() * &y)?.mean_all()? * 0.05
        })
        .unwrap();
    assert_eq!(verdicts(&report), [Verdict::Wrong], "{report}");
    assert!(report.variables[0].error < 0.1, "{report}");
}

#[test]
fn variables_without_a_derivative_are_said_to_be_so() {
    let vars = [var("used", &[3], DType::F32), var("flat", &[3], DType::F32), var("unused", &[3], DType::F32)];
    let report = GradientCheck::default()
        .run(&vars, || {
            // A softmax does not see what is added to all of its arguments.
            let scores = vars[1].1.sum_all()?.broadcast_add(&vars[0].1)?;
            candle_nn::ops::softmax(&scores, 0)?.sqr()?.sum_all()
        })
        .unwrap();
    assert_eq!(verdicts(&report), [Verdict::Right, Verdict::Flat, Verdict::Unused], "{report}");
    assert!(!report.is_right());
    assert!(report.to_string().contains("\nflat: flat"), "{report}");
    let error = report.into_result().unwrap_err();
    assert!(matches!(error, Error::Gradients(_)));
}

#[test]
fn weights_that_begin_at_zero_are_compared_where_they_have_a_gradient() {
    let (a, mut b) = (var("a", &[4, 2], DType::F32), var("b", &[2, 4], DType::F32));
    b.1 = Var::zeros((2, 4), DType::F32, CPU).unwrap();
    let (vars, x) = ([a, b], var("input", &[3, 4], DType::F32).1.as_tensor().detach());
    let loss = || (x.matmul(&vars[0].1)?.matmul(&vars[1].1)? + &x)?.sqr()?.mean_all();
    let at_the_start = loss().unwrap().backward().unwrap().get(&vars[0].1).unwrap().abs().unwrap().sum_all().unwrap();
    assert_eq!(at_the_start.to_scalar::<f32>().unwrap(), 0.);
    let report = GradientCheck::default().run(&vars, loss).unwrap();
    // Right, and not flat: there is a derivative to compare.
    assert_eq!(verdicts(&report), [Verdict::Right; 2], "{report}");
}

#[test]
fn a_loss_that_is_no_function_of_the_variables_is_refused() {
    let vars = [var("w", &[3], DType::F32)];
    let mut passes = 0.;
    let changing = GradientCheck::default().run(&vars, || {
        passes += 1.;
        vars[0].1.sum_all()? * passes
    });
    assert!(changing.unwrap_err().to_string().contains("two passes at the same values"));
    let many = GradientCheck::default().run(&vars, || vars[0].1.sqr());
    assert!(many.unwrap_err().to_string().contains("expected a scalar"));
    let infinite = GradientCheck::default().run(&vars, || vars[0].1.sum_all()? / 0.);
    assert!(infinite.unwrap_err().to_string().contains("not finite"));
    let none: Result<GradientReport> = GradientCheck::default().run(&[], || Tensor::new(0f32, CPU));
    assert!(none.unwrap().is_right());
}

#[test]
fn two_checks_with_one_seed_find_the_same_numbers() {
    let (network, check) = (Network::new(3, DType::F32, tanh), GradientCheck::default());
    assert_eq!(network.check(&check), network.check(&check));
    let other = network.check(&GradientCheck { seed: 1, ..check.clone() });
    assert_ne!(network.check(&check), other);
}

#[test]
fn the_error_names_what_candle_nn_passes_no_gradient_through() {
    let vars = [var("w", &[4, 4], DType::F32), var("gamma", &[4], DType::F32)];
    let x = var("input", &[3, 4], DType::F32).1.as_tensor().detach();
    let report = GradientCheck::default()
        .run(&vars, || {
            let y = layer_norm(&x.matmul(&vars[0].1)?, &vars[1].1, &vars[1].1, 1e-5)?;
            softmax_last_dim(&y)?.sqr()?.sum_all()
        })
        .unwrap();
    let patched =
        operations().unwrap().iter().all(|o| o.name != "candle_nn::ops::layer_norm" || o.finding == Finding::Right);
    if patched {
        assert!(report.is_right(), "{report}");
        return;
    }
    let message = report.into_result().unwrap_err().to_string();
    assert!(message.contains("missing: w (expected"), "{message}");
    for name in ["candle_nn::ops::layer_norm", "candle_nn::ops::softmax_last_dim", "Tensor::conv1d (several examples)"]
    {
        assert!(message.contains(name), "{name} is not in {message}");
    }
    assert!(!message.contains("peft_kernels::layer_norm"), "{message}");
}

#[test]
fn every_operation_of_peft_kernels_has_a_right_gradient() {
    let operations = operations().unwrap();
    let ours: Vec<_> = operations.iter().filter(|operation| operation.name.starts_with("peft_kernels::")).collect();
    assert!(ours.len() >= 20);
    for operation in ours {
        assert_eq!(operation.finding, Finding::Right, "{operation}");
    }
}

#[test]
fn of_candle_nn_the_composed_operations_have_gradients() {
    let operations = operations().unwrap();
    for name in ["candle_nn::ops::softmax", "candle_nn::Linear", "candle_nn::rotary_emb::rope_slow", "candle_nn::LSTM"]
    {
        let operation = operations.iter().find(|operation| operation.name == name).unwrap();
        assert_eq!(operation.finding, Finding::Right, "{operation}");
    }
    for operation in &operations {
        assert_ne!(operation.finding, Finding::Unclear, "{operation}");
    }
}
