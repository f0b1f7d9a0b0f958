//! What DoRA, IA3 and whole modules compute, by hand.

#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{Device, Tensor};
use peft_core::toy::toy_sites;
use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, SiteInput, Sites, TargetModules, nonzero};
use peft_kernels as ops;

use crate::{Ia3Config, LoraConfig};

const CPU: &Device = &Device::Cpu;

/// One method on the `q` of a toy backbone of two features, with the weights of its one target.
fn on_q(config: impl PeftConfig + 'static, weights: Vec<Tensor>) -> (Sites, Plan, AdapterWeights) {
    let sites = toy_sites(1, 2);
    let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
    (sites, plan, AdapterWeights::new(vec![weights]))
}

/// `x = (1, 2)` through `W = ((3, 4), (0, 5))`, which gives (11, 10), and what acts at `q`: apart and merged.
fn run((sites, plan, weights): &(Sites, Plan, AdapterWeights)) -> [Vec<f32>; 2] {
    let q = sites.find("layers.0.q").unwrap();
    let base = Tensor::new(&[[3f32, 4.], [0., 5.]], CPU).unwrap();
    let x = Tensor::new(&[[[1f32, 2.]]], CPU).unwrap();
    let active = ActiveAdapters::new(plan, weights).unwrap();
    let y = ops::linear(&x, &base, ops::Kernels::Plain).unwrap();
    let apart = active.apply(q, SiteInput::new(&x, y).base(&base), &mut Ctx::eval()).unwrap();
    let merged = active.merge(q, &base).unwrap().weight().unwrap();
    let together = ops::linear(&x, &merged, ops::Kernels::Plain).unwrap();
    [apart, together].map(|y| y.flatten_all().unwrap().to_vec1().unwrap())
}

fn assert_both(both: [Vec<f32>; 2], expected: [f32; 2]) {
    for y in both {
        for (y, expected) in y.iter().zip(expected) {
            assert!((y - expected).abs() < 1e-5, "{y} against {expected}");
        }
    }
}

fn q_only() -> TargetModules {
    TargetModules::suffixes(["q"])
}

fn rank_one(use_dora: bool, use_rslora: bool) -> LoraConfig {
    let r = nonzero(1);
    LoraConfig { r, lora_alpha: 2., target_modules: q_only(), use_dora, use_rslora, ..LoraConfig::default() }
}

/// A = (1, -1), B = (1, 2)ᵀ: s B A = ((2, -2), (4, -4)) at s = 2.
fn a_and_b() -> Vec<Tensor> {
    vec![Tensor::new(&[[1f32, -1.]], CPU).unwrap(), Tensor::new(&[[1f32], [2.]], CPU).unwrap()]
}

#[test]
fn dora_gives_each_row_its_own_length() {
    // V = ((5, 2), (4, 1)), ‖V‖ = (√29, √17); m = (5 + 1, 5 - 2); V x = (9, 6).
    let delta = Tensor::new(&[1f32, -2.], CPU).unwrap();
    let weights = a_and_b().into_iter().chain([delta]).collect();
    let expected = [9. * 6. / 29f32.sqrt(), 6. * 3. / 17f32.sqrt()];
    assert_both(run(&on_q(rank_one(true, false), weights)), expected);
}

#[test]
fn rslora_divides_by_the_root_of_the_rank() {
    // Rank 4 with three empty rows: s = 2 / √4 = 1, and B A x = (-1, -2).
    let config = LoraConfig { r: nonzero(4), ..rank_one(false, true) };
    let [a, b] = <[Tensor; 2]>::try_from(a_and_b()).unwrap();
    let weights = vec![a.pad_with_zeros(0, 0, 3).unwrap(), b.pad_with_zeros(1, 0, 3).unwrap()];
    assert_both(run(&on_q(config, weights)), [11. - 1., 10. - 2.]);
}

#[test]
fn ia3_scales_outputs_or_in_feed_forward_modules_inputs() {
    let l = || Tensor::new(&[2f32, -1.], CPU).unwrap();
    let output = Ia3Config { target_modules: q_only(), ..Ia3Config::default() };
    assert_both(run(&on_q(output.clone(), vec![l().reshape((2, 1)).unwrap()])), [22., -10.]);
    // (2, -2) through W.
    let input = Ia3Config { feedforward_modules: q_only(), ..output };
    assert_both(run(&on_q(input, vec![l().reshape((1, 2)).unwrap()])), [6. - 8., -10.]);
}

#[test]
fn a_module_to_save_has_a_whole_weight_of_its_own() {
    let config = LoraConfig { modules_to_save: vec!["q".into()], ..LoraConfig::default() };
    let sites = toy_sites(1, 2);
    let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
    let names: Vec<String> = plan.targets().iter().flat_map(|e| e.params.iter().map(|p| e.key(p))).collect();
    let expected = ["layers.0.q.modules_to_save.weight_delta", "layers.0.v.lora_A.weight", "layers.0.v.lora_B.weight"];
    assert_eq!(names, expected, "q is saved, so LoRA leaves it alone");

    let only = LoraConfig { modules_to_save: vec!["q".into()], target_modules: q_only(), ..LoraConfig::default() };
    let delta = Tensor::new(&[[1f32, 0.], [0., -1.]], CPU).unwrap();
    assert_both(run(&on_q(only, vec![delta])), [12., 8.]);
}

#[test]
fn a_gate_is_one_number_a_sentence_and_keeps_lora_from_merging() {
    let gate = vec![Tensor::new(&[[1f32, 0.]], CPU).unwrap(), Tensor::new(&[-1f32], CPU).unwrap()];
    let (sites, plan, weights) =
        on_q(LoraConfig { use_gating: true, ..rank_one(false, false) }, a_and_b().into_iter().chain(gate).collect());
    let q = sites.find("layers.0.q").unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    // sigmoid(x₁ - 1) of two tokens: (0.5 + sigmoid(2)) / 2.
    let x = Tensor::new(&[[[1f32, 2.], [3., 0.]]], CPU).unwrap();
    let out = active.apply(q, SiteInput::new(&x, x.zeros_like().unwrap()), &mut Ctx::eval()).unwrap();
    let open = (0.5 + 1. / (1. + (-2f32).exp())) / 2.;
    // s B A x = (-2, -4) and (6, 12).
    let expected = [-2. * open, -4. * open, 6. * open, 12. * open];
    for (y, expected) in out.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().zip(expected) {
        assert!((y - expected).abs() < 1e-5, "{y} against {expected}");
    }
    assert!(active.merge(q, &Tensor::new(&[[3f32, 4.], [0., 5.]], CPU).unwrap()).unwrap().weight().is_none());
}

#[test]
fn patterns_layers_and_exclusions_decide_site_by_site() {
    let config: Box<dyn PeftConfig> = serde_json::from_str(
        r#"{"peft_type": "LORA", "r": 4, "target_modules": "all-linear", "exclude_modules": ["v"],
            "layers_to_transform": [1, 2], "rank_pattern": {"layers.2.q": 6}}"#,
    )
    .unwrap();
    let plan = Plan::resolve(&toy_sites(3, 8), &[config]).unwrap();
    let sizes: Vec<(&str, usize)> =
        plan.targets().iter().filter_map(|e| Some((e.site.path.as_str(), *e.params.first()?.dims.first()?))).collect();
    assert_eq!(sizes, [("layers.1.q", 4), ("layers.2.q", 6)]);
}

#[test]
fn a_layers_pattern_takes_the_first_number_as_peft_does() {
    let config = |more: &str| -> LoraConfig {
        serde_json::from_str(&format!(r#"{{"target_modules": ["q"], {more}}}"#)).unwrap()
    };
    let wanted = |config: &LoraConfig, path: &str| {
        let kind = peft_core::SiteKind::Linear { d_in: 2, d_out: 2 };
        let role = peft_core::SiteRole::SELF_Q;
        let site =
            peft_core::Site { path: path.into(), stack: peft_core::Stack::DECODER, layer: 3, role, kind, bias: false };
        config.module(&site).unwrap().is_some()
    };
    let q = "decoder.block.3.layer.0.SelfAttention.q";
    assert!(wanted(&config(r#""layers_to_transform": [3]"#), q));
    assert!(!wanted(&config(r#""layers_to_transform": [0]"#), q));
    assert!(wanted(&config(r#""layers_to_transform": []"#), q), "none means all");
    assert!(wanted(&config(r#""layers_to_transform": [3], "layers_pattern": ["[^.]*"]"#), q));
    assert!(wanted(&config(r#""layers_to_transform": [0], "layers_pattern": ["layer"]"#), q));
    assert!(!wanted(&config(r#""layers_to_transform": [3], "layers_pattern": ["layers"]"#), q));
}

#[test]
fn an_unknown_initialization_names_the_known_ones() {
    for given in [r#""pissa""#, "3", "null"] {
        let text = format!(r#"{{"init_lora_weights": {given}}}"#);
        let error = serde_json::from_str::<LoraConfig>(&text).unwrap_err().to_string();
        assert!(error.contains(given) && error.contains("gaussian"), "{error}");
    }
}
