use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use peft_kernels::Kernels;
use proptest::prelude::*;

use super::update::Coefficients;
use super::*;
use crate::optim::Gradients;

const LR: f64 = 0.1;

fn var(values: &[f32]) -> Var {
    Var::from_slice(values, values.len(), &Device::Cpu).unwrap()
}

fn values(variable: &Var) -> Vec<f32> {
    variable.to_vec1().unwrap()
}

fn gradients(entries: &[(&str, &[f32])]) -> Gradients {
    let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
    entries.iter().map(|(name, values)| ((*name).to_owned(), tensor(values))).collect()
}

fn config(flavor: AdamWFlavor) -> AdamWConfig {
    AdamWConfig { flavor, ..AdamWConfig::default() }
}

/// The value of a parameter that starts at 1 after one step each with `steps` as its gradients.
fn after(config: AdamWConfig, steps: &[f32]) -> f32 {
    let weight = var(&[1.0]);
    let mut optimizer = AdamW::new(vec![("w".to_owned(), weight.clone())], config).unwrap();
    for gradient in steps {
        optimizer.apply_gradients(&gradients(&[("w", &[*gradient])]), LR).unwrap();
    }
    values(&weight)[0]
}

fn assert_close(ours: f32, exact: f64) {
    assert!((f64::from(ours) - exact).abs() < 2e-7, "{ours} against {exact}");
}

#[test]
fn two_steps_by_hand() {
    // g = 1: m = 0.1, v = 0.001, both corrections undo that exactly, so p = 1 - 0.1.
    assert_close(after(config(AdamWFlavor::Torch), &[1.0]), 0.9);
    // g = -2: m = 0.09 - 0.2 = -0.11, v = 0.000999 + 0.004 = 0.004999, c1 = 0.19, c2 = 0.001999,
    // p = 0.9 + 0.1 * (0.11 / 0.19) / sqrt(0.004999 / 0.001999).
    let exact = 0.9 + 0.1 * (0.11 / 0.19) / (0.004999_f64 / 0.001999).sqrt();
    assert_close(after(config(AdamWFlavor::Torch), &[1.0, -2.0]), exact);
    assert_close(after(config(AdamWFlavor::Transformers35), &[1.0, -2.0]), exact);
}

#[test]
fn the_flavors_differ_where_the_gradient_is_near_eps() {
    // After one step sqrt(v) = sqrt(0.001) |g|: the older AdamW adds eps to that, torch to |g| itself.
    let (g, root) = (1e-6, 0.001_f64.sqrt());
    assert_close(after(config(AdamWFlavor::Torch), &[1e-6]), 1.0 - LR * g / (g + 1e-8));
    assert_close(after(config(AdamWFlavor::Transformers35), &[1e-6]), 1.0 - LR * root * g / (root * g + 1e-8));
    let gap = after(config(AdamWFlavor::Transformers35), &[1e-6]) - after(config(AdamWFlavor::Torch), &[1e-6]);
    assert!(gap > 0.2 * LR as f32, "{gap}");
}

#[test]
fn weight_decay_comes_after_the_update_or_before_it() {
    let decayed = |flavor| AdamWConfig { weight_decay: 0.5, ..config(flavor) };
    assert_close(after(decayed(AdamWFlavor::Transformers35), &[1.0]), (1.0 - 0.1) * 0.95);
    assert_close(after(decayed(AdamWFlavor::Torch), &[1.0]), 0.95 - 0.1);
}

#[test]
fn a_dense_parameter_moves_on_by_momentum_and_a_lazy_one_waits() {
    let run = |unreached| {
        let (weight, other) = (var(&[1.0]), var(&[1.0]));
        let named = vec![("w".to_owned(), weight.clone()), ("o".to_owned(), other.clone())];
        let mut optimizer = AdamW::new(named, AdamWConfig { unreached, ..AdamWConfig::default() }).unwrap();
        optimizer.apply_gradients(&gradients(&[("w", &[1.0])]), LR).unwrap();
        assert_eq!(values(&other), [1.0], "never reached, never moved");
        optimizer.apply_gradients(&gradients(&[("o", &[1.0])]), LR).unwrap();
        assert_close(values(&other)[0], 0.9);
        values(&weight)[0]
    };
    // m = 0.09, v = 0.000999, c1 = 0.19, c2 = 0.001999.
    let moved = 0.9 - LR * (0.09 / 0.19) / (0.000999_f64 / 0.001999).sqrt();
    assert_close(run(Unreached::Dense), moved);
    assert_close(run(Unreached::Lazy), 0.9);
}

#[test]
fn each_parameter_counts_its_own_steps_from_its_first_gradient() {
    let late = var(&[1.0]);
    let named = vec![("early".to_owned(), var(&[1.0])), ("late".to_owned(), late.clone())];
    let mut optimizer = AdamW::new(named, AdamWConfig::default()).unwrap();
    for _ in 0..50 {
        optimizer.apply_gradients(&gradients(&[("early", &[1.0])]), LR).unwrap();
    }
    optimizer.apply_gradients(&gradients(&[("early", &[1.0]), ("late", &[1.0])]), LR).unwrap();
    assert_close(values(&late)[0], 0.9);
}

#[test]
fn a_group_can_have_a_learning_rate_of_its_own() {
    let (slow, fast) = (var(&[1.0]), var(&[1.0]));
    let named = vec![("q.lora_A".to_owned(), slow.clone()), ("q.lora_B".to_owned(), fast.clone())];
    let mut optimizer = AdamW::new(named, AdamWConfig::default()).unwrap();
    assert_eq!(optimizer.set_lr_scale(4.0, |name| name.ends_with("lora_B")), 1);
    optimizer.apply_gradients(&gradients(&[("q.lora_A", &[1.0]), ("q.lora_B", &[1.0])]), LR).unwrap();
    assert_close(values(&slow)[0], 0.9);
    assert_close(values(&fast)[0], 0.6);
}

/// The reference's loop in f64, one scalar at a time.
fn reference(config: &AdamWConfig, start: f64, steps: &[f64]) -> f64 {
    let ((b1, b2), eps) = (config.betas, config.eps);
    let (mut p, mut m, mut v) = (start, 0.0, 0.0);
    for (index, g) in steps.iter().enumerate() {
        let t = index as i32 + 1;
        let (c1, c2): (f64, f64) = (1.0 - b1.powi(t), 1.0 - b2.powi(t));
        m = b1 * m + (1.0 - b1) * g;
        v = b2 * v + (1.0 - b2) * g * g;
        match config.flavor {
            AdamWFlavor::Transformers35 => {
                p -= LR * c2.sqrt() / c1 * m / (v.sqrt() + eps);
                p *= 1.0 - LR * config.weight_decay;
            }
            AdamWFlavor::Torch => {
                p *= 1.0 - LR * config.weight_decay;
                p -= LR * (m / c1) / ((v / c2).sqrt() + eps);
            }
        }
    }
    p
}

fn flavors() -> impl Strategy<Value = AdamWFlavor> {
    prop_oneof![Just(AdamWFlavor::Transformers35), Just(AdamWFlavor::Torch)]
}

proptest! {
    #[test]
    fn many_steps_follow_the_formula(
        flavor in flavors(),
        weight_decay in prop_oneof![Just(0.0), 0.0..0.2_f64],
        steps in prop::collection::vec(-2.0..2.0_f32, 1..30),
    ) {
        let config = AdamWConfig { weight_decay, eps: 1e-3, ..config(flavor) };
        let exact: Vec<f64> = steps.iter().map(|g| f64::from(*g)).collect();
        let (ours, exact) = (f64::from(after(config, &steps)), reference(&config, 1.0, &exact));
        prop_assert!((ours - exact).abs() < 5e-6, "{} against {}", ours, exact);
    }

    #[test]
    fn the_fused_pass_and_candles_operations_agree_bitwise(
        flavor in flavors(),
        weight_decay in prop_oneof![Just(0.0), Just(0.1)],
        rows in prop::collection::vec((-3.0..3.0_f32, -1.0..1.0_f32, 0.0..1.0_f32, -5.0..5.0_f32), 1..40),
        steps in 1..2000_u64,
    ) {
        let config = AdamWConfig { weight_decay, ..config(flavor) };
        let coefficients = Coefficients::new(&config, LR, steps);
        let column = |pick: fn(&(f32, f32, f32, f32)) -> f32| rows.iter().map(pick).collect::<Vec<f32>>();
        let (m, v) = (column(|row| row.1), column(|row| row.2));
        let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        let gradient = tensor(&column(|row| row.3));
        let (mut first, mut second) = (m.clone(), v.clone());
        let ours = var(&column(|row| row.0));
        coefficients.apply(&ours, [&mut first, &mut second], &gradient).unwrap();
        let before = [tensor(&column(|row| row.0)), tensor(&m), tensor(&v)];
        let [p, m, v] = coefficients.next(before.each_ref(), &gradient).unwrap();
        let plain = |t: Tensor| t.to_vec1::<f32>().unwrap();
        prop_assert_eq!(values(&ours), plain(p));
        prop_assert_eq!(first, plain(m));
        prop_assert_eq!(second, plain(v));
    }
}

#[test]
fn a_large_matrix_and_a_transposed_gradient_are_updated_element_by_element() {
    let (rows, columns) = (300, 200);
    let weight = Var::zeros((rows, columns), DType::F32, &Device::Cpu).unwrap();
    let mut optimizer = AdamW::new(vec![("w".to_owned(), weight.clone())], config(AdamWFlavor::Torch)).unwrap();
    let signs = Tensor::arange(0f32, (rows * columns) as f32, &Device::Cpu).unwrap();
    let signs = ((signs.reshape((columns, rows)).unwrap() - 29_999.5).unwrap()).sign().unwrap();
    let gradient = signs.t().unwrap();
    optimizer.apply_gradients(&[("w".to_owned(), gradient.clone())].into_iter().collect(), LR).unwrap();
    let error = (weight.as_detached_tensor() + (gradient * LR).unwrap()).unwrap().abs().unwrap();
    assert!(error.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-6);
}

/// An optimizer of two variables of which only the first is ever reached, after three steps.
fn trained() -> (AdamW, Vec<Var>) {
    let variables = vec![var(&[1.0, -2.0, 3.0]), var(&[5.0])];
    let mut optimizer = fresh(&variables);
    for step in 0..3 {
        optimizer.apply_gradients(&gradients(&[("a", &[0.5, -1.5, step as f32])]), LR).unwrap();
    }
    (optimizer, variables)
}

fn fresh(variables: &[Var]) -> AdamW {
    let names = ["a", "b"].map(str::to_owned);
    AdamW::new(names.into_iter().zip(variables.iter().cloned()).collect(), AdamWConfig::default()).unwrap()
}

#[test]
fn a_saved_and_loaded_optimizer_continues_bitwise() {
    let (mut original, variables) = trained();
    let state = original.state().unwrap();
    let copies: Vec<Var> = variables.iter().map(|v| var(&values(v))).collect();
    let mut resumed = fresh(&copies);
    resumed.load_state(&state).unwrap();
    for step in 0..4 {
        let next = gradients(&[("a", &[0.1, 7.0, -1e-7]), ("b", &[step as f32])]);
        original.apply_gradients(&next, LR).unwrap();
        resumed.apply_gradients(&next, LR).unwrap();
    }
    for (ours, theirs) in variables.iter().zip(&copies) {
        assert_eq!(values(ours), values(theirs));
    }
    assert_ne!(
        state["a.exp_avg"].to_vec1::<f32>().unwrap(),
        original.state().unwrap()["a.exp_avg"].to_vec1::<f32>().unwrap()
    );
}

#[test]
fn the_state_holds_torchs_names_and_a_step_for_every_variable() {
    let (optimizer, _) = trained();
    let state = optimizer.state().unwrap();
    assert_eq!(state.keys().collect::<Vec<_>>(), ["a.exp_avg", "a.exp_avg_sq", "a.step", "b.step"]);
    assert_eq!(state["a.step"].to_scalar::<i64>().unwrap(), 3);
    assert_eq!(state["b.step"].to_scalar::<i64>().unwrap(), 0);
}

#[test]
fn a_state_that_does_not_fit_is_refused_with_its_key_and_changes_nothing() {
    let refusal = |change: &dyn Fn(&mut BTreeMap<String, Tensor>), expected: &[&str]| {
        let (mut optimizer, _) = trained();
        let before = optimizer.state().unwrap();
        let mut state = before.clone();
        change(&mut state);
        let message = optimizer.load_state(&state).unwrap_err().to_string();
        for part in expected {
            assert!(message.contains(part), "{message} lacks {part}");
        }
        let after = optimizer.state().unwrap();
        assert_eq!(after["a.exp_avg"].to_vec1::<f32>().unwrap(), before["a.exp_avg"].to_vec1::<f32>().unwrap());
    };
    let tensor = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    refusal(&|state| drop(state.remove("b.step")), &["b.step", "missing"]);
    refusal(&|state| drop(state.remove("a.exp_avg_sq")), &["a.exp_avg_sq", "missing"]);
    refusal(&|state| drop(state.insert("c.step".to_owned(), tensor(&[]))), &["c.step", "unknown"]);
    refusal(&|state| drop(state.insert("b.exp_avg".to_owned(), tensor(&[1]))), &["b.exp_avg", "unknown"]);
    refusal(&|state| drop(state.insert("a.exp_avg".to_owned(), tensor(&[2]))), &["a.exp_avg", "[2]", "[3]"]);
    refusal(&|state| drop(state.insert("a.step".to_owned(), tensor(&[]))), &["a.step", "F32", "I64"]);
    let negative = Tensor::new(-1i64, &Device::Cpu).unwrap();
    refusal(&|state| drop(state.insert("a.step".to_owned(), negative.clone())), &["a.step", "-1"]);
}

#[test]
fn a_gradient_that_fits_no_variable_is_refused_before_anything_moves() {
    let (mut optimizer, variables) = trained();
    let before = values(&variables[0]);
    let unknown =
        optimizer.apply_gradients(&gradients(&[("a", &[1.0; 3]), ("z", &[1.0])]), LR).unwrap_err().to_string();
    assert!(unknown.contains('z'), "{unknown}");
    let shape =
        optimizer.apply_gradients(&gradients(&[("a", &[1.0; 3]), ("b", &[1.0; 2])]), LR).unwrap_err().to_string();
    assert!(shape.contains("of b") && shape.contains("[2]") && shape.contains("[1]"), "{shape}");
    assert_eq!(values(&variables[0]), before);
}

#[test]
fn names_and_variables_must_be_distinct_and_f32() {
    let weight = var(&[1.0]);
    let refused = |named: Vec<(&str, Var)>| {
        let named = named.into_iter().map(|(name, var)| (name.to_owned(), var)).collect();
        AdamW::new(named, AdamWConfig::default()).unwrap_err().to_string()
    };
    assert!(refused(vec![("a", weight.clone()), ("a", var(&[2.0]))]).contains("named a"));
    assert!(refused(vec![("a", weight.clone()), ("b", weight)]).contains("a and b"));
    let half = Var::zeros(2, DType::BF16, &Device::Cpu).unwrap();
    assert!(refused(vec![("h", half)]).contains("h is BF16"));
}

#[test]
fn the_configuration_is_strict_and_checked() {
    let config: AdamWConfig = toml::from_str("flavor = \"torch\"\nunreached = \"lazy\"\nbetas = [0.8, 0.99]").unwrap();
    assert_eq!(
        config,
        AdamWConfig {
            flavor: AdamWFlavor::Torch,
            unreached: Unreached::Lazy,
            betas: (0.8, 0.99),
            ..AdamWConfig::default()
        }
    );
    assert!(toml::from_str::<AdamWConfig>("epsilon = 1e-8").unwrap_err().to_string().contains("epsilon"));
    for (config, key) in [
        (AdamWConfig { betas: (1.0, 0.999), ..AdamWConfig::default() }, "betas[0]"),
        (AdamWConfig { betas: (0.9, f64::NAN), ..AdamWConfig::default() }, "betas[1]"),
        (AdamWConfig { eps: 0.0, ..AdamWConfig::default() }, "eps"),
        (AdamWConfig { weight_decay: -1.0, ..AdamWConfig::default() }, "weight_decay"),
    ] {
        assert!(AdamW::new(Vec::new(), config).unwrap_err().to_string().contains(key));
    }
}

#[test]
fn lora_plus_moves_b_by_its_ratio_and_nothing_else() {
    let names = [
        "base_model.model.q.lora_A.weight",
        "base_model.model.q.lora_B.weight",
        "hyper.encoder.heads.lora_B.weight.8x2.weight",
    ];
    let moved = |ratio| {
        let vars: Vec<Var> = names.iter().map(|_| var(&[1.0])).collect();
        let named = names.iter().map(|name| (*name).to_owned()).zip(vars.clone()).collect();
        let config = AdamWConfig { loraplus_lr_ratio: ratio, ..AdamWConfig::default() };
        let mut optimizer = AdamW::new(named, config).unwrap();
        let all: Vec<(&str, &[f32])> = names.iter().map(|name| (*name, [0.5f32].as_slice())).collect();
        optimizer.apply_gradients(&gradients(&all), 1e-3).unwrap();
        vars.iter().map(|var| 1.0 - values(var)[0]).collect::<Vec<f32>>()
    };
    let (plain, plus) = (moved(None), moved(Some(16.0)));
    assert_eq!(plain[0], plus[0]);
    for b in [1, 2] {
        assert!((plus[b] / plain[b] - 16.0).abs() < 1e-2, "{} against {}", plus[b], plain[b]);
    }
    let error = AdamWConfig { loraplus_lr_ratio: Some(0.0), ..AdamWConfig::default() }.validate().unwrap_err();
    assert!(error.to_string().contains("loraplus_lr_ratio"), "{error}");
}

#[test]
fn variables_that_are_updated_together_get_the_bits_of_separate_updates() {
    for unreached in [Unreached::Dense, Unreached::Lazy] {
        let starts: [&[f32]; 3] = [&[1.0, -2.0, 3.0], &[5.0], &[0.5, 0.25]];
        let optimizer = |kernels| {
            let variables: Vec<Var> = starts.iter().map(|start| var(start)).collect();
            let named = ["a", "b", "c.lora_B"].map(str::to_owned).into_iter().zip(variables.iter().cloned()).collect();
            let config =
                AdamWConfig { unreached, weight_decay: 0.1, loraplus_lr_ratio: Some(4.0), ..AdamWConfig::default() };
            (AdamW::new(named, config).unwrap().with_kernels(kernels), variables)
        };
        let (mut separate, expected) = optimizer(peft_kernels::Kernels::Fused);
        let (mut together, mut found) = optimizer(Kernels::Device);
        assert!(together.grouped && !separate.grouped);
        for step in 0..8 {
            let step = step as f32;
            let (a, b, c) = ([0.5, -1.5, step], [1.0 - step], [0.25, -3.0]);
            // What is reached changes, and with it who shares a group.
            let next: Vec<(&str, &[f32])> = match step as usize {
                0 | 1 | 6 => vec![("a", &a), ("c.lora_B", &c)],
                4 => vec![("b", &b)],
                _ => vec![("a", &a), ("b", &b), ("c.lora_B", &c)],
            };
            separate.apply_gradients(&gradients(&next), LR).unwrap();
            together.apply_gradients(&gradients(&next).gathered().unwrap(), LR).unwrap();
            if step == 3.0 {
                let state = together.state().unwrap();
                let (fresh, variables) = optimizer(Kernels::Device);
                for (variable, value) in variables.iter().zip(&found) {
                    variable.set(&value.as_tensor().copy().unwrap()).unwrap();
                }
                (together, found) = (fresh, variables);
                together.load_state(&state).unwrap();
            }
            for (ours, theirs) in found.iter().zip(&expected) {
                assert_eq!(values(ours), values(theirs), "{unreached:?}, step {step}");
            }
        }
        let (ours, theirs) = (together.state().unwrap(), separate.state().unwrap());
        assert!(ours.keys().eq(theirs.keys()));
        for (key, ours) in &ours {
            let bits =
                |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(bits(ours), bits(&theirs[key]), "{key}");
        }
    }
}
