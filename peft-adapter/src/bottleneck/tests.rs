//! Each shape, by hand: `h = (10, 20)`, `y = (1, 2)`, one unit in the bottleneck.

#![allow(clippy::unwrap_used, reason = "tests")]
use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use peft_core::toy::toy_sites;
use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, Result, SiteInput, Sites, Stack};

use super::BottleneckConfig;
use crate::{LeaveOut, NonLinearity};

const H: [f32; 2] = [10., 20.];
const Y: [f32; 2] = [1., 2.];
/// `relu(3 a + b + 0.5)`, then `(2, -1)` of it and `(1, 0)`.
const PROJECTIONS: [&[f32]; 4] = [&[3., 1.], &[0.5], &[2., -1.], &[1., 0.]];

fn plan(config: BottleneckConfig) -> (Sites, Result<Plan>) {
    let sites = toy_sites(1, 2);
    let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]);
    (sites, plan)
}

fn weights(plan: &Plan, weights: &[&[f32]]) -> AdapterWeights {
    let specs = &plan.targets().first().unwrap().params;
    assert_eq!(specs.len(), weights.len());
    let tensor = |(spec, weight): (&peft_core::ParamSpec, &&[f32])| {
        Tensor::new(*weight, &Device::Cpu).unwrap().reshape(spec.dims.as_slice()).unwrap()
    };
    AdapterWeights::new(vec![specs.iter().zip(weights).map(tensor).collect()])
}

/// The output of the site; the backbone adds `H` to it.
fn run(config: BottleneckConfig, more: &[&[f32]]) -> Vec<f32> {
    let (sites, plan) = plan(config);
    let plan = plan.unwrap();
    let weights = weights(&plan, &[&PROJECTIONS, more].concat());
    let tensor = |values| Tensor::new(&[[values]], &Device::Cpu).unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    let out = active
        .apply(sites.find("layers.0.ffn").unwrap(), SiteInput::new(&tensor(H), tensor(Y)), &mut Ctx::eval())
        .unwrap();
    out.flatten_all().unwrap().to_vec1().unwrap()
}

fn shape(preset: BottleneckConfig) -> BottleneckConfig {
    BottleneckConfig {
        bottleneck_size: NonZeroUsize::new(1),
        non_linearity: NonLinearity::Relu,
        layer_norm_eps: 0.,
        ..preset
    }
}

#[test]
fn double_sequential_reads_the_sub_layers_output() {
    // relu(3·1 + 1·2 + 0.5) = 5.5, up: (12, -5.5).
    assert_eq!(run(shape(BottleneckConfig::houlsby()), &[]), [1. + 12., 2. - 5.5]);
}

#[test]
fn sequential_reads_the_sum_with_the_stream() {
    // relu(3·11 + 22 + 0.5) = 55.5, up: (112, -55.5).
    assert_eq!(run(shape(BottleneckConfig::pfeiffer()), &[]), [1. + 112., 2. - 55.5]);
}

#[test]
fn parallel_reads_the_stream_and_scales() {
    // relu(3·10 + 20 + 0.5) = 50.5, up: (102, -50.5), times 4.
    assert_eq!(run(shape(BottleneckConfig::par_bn()), &[]), [1. + 4. * 102., 2. - 4. * 50.5]);
}

#[test]
fn the_norm_after_comes_before_the_residual_sum() {
    let config = shape(BottleneckConfig::default());
    // up gives (12, -5.5), normalized to (1, -1); gamma (10, 20), beta (0.5, 0.25).
    assert_eq!(run(config, &[&[10., 20.], &[0.5, 0.25]]), [1. + 10.5, 2. - 19.75]);
}

#[test]
fn the_norm_before_comes_before_the_down_projection() {
    let config = shape(BottleneckConfig { ln_before: true, ..BottleneckConfig::double_seq_bn() });
    // (1, 2) is normalized to (-1, 1); gamma (2, 4): (-2, 4); relu(-6 + 4 + 0.5) = 0; up gives its bias.
    assert_eq!(run(config, &[&[2., 4.], &[0., 0.]]), [2., 2.]);
}

#[test]
fn the_norm_after_may_include_the_residual() {
    let config = shape(BottleneckConfig { adapter_residual_before_ln: true, ..BottleneckConfig::default() });
    // (1 + 12, 2 - 5.5) is normalized to (1, -1).
    assert_eq!(run(config, &[&[10., 20.], &[0.5, 0.25]]), [10.5, -19.75]);
}

#[test]
fn the_residual_may_include_the_stream() {
    let config = BottleneckConfig { residual_before_ln: false, ..BottleneckConfig::seq_bn() };
    // The stream is added twice: here, and by the backbone.
    assert_eq!(run(shape(config.clone()), &[]), [10. + 1. + 112., 20. + 2. - 55.5]);
    // ... unless the backbone is told not to add it.
    let config = BottleneckConfig { original_ln_after: false, ..config };
    assert_eq!(run(shape(config), &[]), [1. + 112., 2. - 55.5]);
}

#[test]
fn without_the_backbones_sum_the_stream_ends_here() {
    let config = BottleneckConfig { original_ln_after: false, ..BottleneckConfig::par_bn() };
    // The adapter subtracts what the backbone adds.
    assert_eq!(run(shape(config), &[]), [1. + 4. * 102. - 10., 2. - 4. * 50.5 - 20.]);
}

#[test]
fn the_gate_reads_what_the_adapter_reads() {
    // Opened halfway by zero weights: what the sequential adapter adds is halved.
    let seq = shape(BottleneckConfig { use_gating: true, ..BottleneckConfig::seq_bn() });
    assert_eq!(run(seq.clone(), &[&[0., 0.], &[0.]]), [1. + 56., 2. - 27.75]);
    // The gate reads h + y = (11, 22): sigmoid(11 + ln 3 - 11) = 3/4; the parallel adapter reads h = (10, 20).
    let three_quarters = run(seq, &[&[1., 0.], &[3f32.ln() - 11.]]);
    assert!((three_quarters[0] - (1. + 84.)).abs() < 1e-4, "{three_quarters:?}");
    let par = shape(BottleneckConfig { use_gating: true, scaling: 1., ..BottleneckConfig::par_bn() });
    let three_quarters = run(par, &[&[1., 0.], &[3f32.ln() - 10.]]);
    assert!((three_quarters[0] - (1. + 76.5)).abs() < 1e-4, "{three_quarters:?}");
}

#[test]
fn the_gate_is_one_number_for_each_sentence() {
    let (sites, plan) = plan(shape(BottleneckConfig { use_gating: true, ..BottleneckConfig::double_seq_bn() }));
    let plan = plan.unwrap();
    let gate: [&[f32]; 2] = [&[1., 0.], &[0.]];
    let weights = weights(&plan, &[&PROJECTIONS[..], &gate].concat());
    // The gates of the two positions are sigmoid(±ln 3) = 3/4 and 1/4; their mean is 1/2.
    let (a, b) = (3f32.ln(), -(3f32.ln()));
    let y = Tensor::new(&[[[a, 0.], [b, 4.]]], &Device::Cpu).unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    let ffn = sites.find("layers.0.ffn").unwrap();
    let out = active.apply(ffn, SiteInput::new(&y, y.clone()), &mut Ctx::eval()).unwrap().to_vec3::<f32>().unwrap();
    let expected = |x: f32, z: f32| 0.5f32.mul_add(2. * (3. * x + z + 0.5).max(0.) + 1., x);
    for (found, expected) in [(out[0][0][0], expected(a, 0.)), (out[0][1][0], expected(b, 4.))] {
        assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
    }
}

#[test]
fn rows_may_have_different_weights() {
    let every = BottleneckConfig { use_gating: true, ln_before: true, scaling: 3., ..BottleneckConfig::default() };
    for config in [every.clone(), BottleneckConfig { is_parallel: true, ..every }] {
        let (sites, plan) = plan(shape(BottleneckConfig { layer_norm_eps: 1e-5, ..config }));
        let plan = plan.unwrap();
        let more: [&[f32]; 6] = [&[2., 4.], &[0.5, 1.], &[10., 20.], &[0.5, 0.25], &[0.3, -0.1], &[0.2]];
        let one = weights(&plan, &[&PROJECTIONS[..], &more].concat());
        let other = AdapterWeights::new(vec![one.of_target(0).iter().map(|w| (w * 0.7).unwrap()).collect()]);
        let tensor = |v: [[f32; 2]; 4]| Tensor::new(&v, &Device::Cpu).unwrap().reshape((2, 2, 2)).unwrap();
        let h = tensor([[1., 2.], [3., -4.], [0.5, 6.], [7., 8.]]);
        let y = tensor([[2., 1.], [-3., 4.], [5., 0.5], [1., 9.]]);
        let ffn = sites.find("layers.0.ffn").unwrap();
        let run = |weights: &AdapterWeights, row: Option<usize>| {
            let part = |t: &Tensor| row.map_or(t.clone(), |row| t.narrow(0, row, 1).unwrap());
            let active = ActiveAdapters::new(&plan, weights).unwrap();
            active.apply(ffn, SiteInput::new(&part(&h), part(&y)), &mut Ctx::eval()).unwrap()
        };
        let mixed = run(&AdapterWeights::rows(&[one.clone(), other.clone()], &[1, 0]).unwrap(), None);
        let apart = Tensor::cat(&[run(&other, Some(0)), run(&one, Some(1))], 0).unwrap();
        let gap = (mixed - apart).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(gap < 1e-5, "{gap}");
    }
}

#[test]
fn dropout_acts_only_in_training() {
    let (sites, plan) = plan(shape(BottleneckConfig { dropout: 0.5, ..BottleneckConfig::double_seq_bn() }));
    let plan = plan.unwrap();
    let weights = weights(&plan, &PROJECTIONS);
    let y = Tensor::ones((1, 32, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    let ffn = sites.find("layers.0.ffn").unwrap();
    let firsts = |mut ctx: Ctx| -> Vec<f32> {
        let out = active.apply(ffn, SiteInput::new(&y, y.clone()), &mut ctx).unwrap();
        out.to_vec3::<f32>().unwrap().iter().flatten().map(|position| position[0]).collect()
    };
    // up gives 2 · 4.5 + 1 = 10.
    assert!(firsts(Ctx::eval()).iter().all(|v| *v == 11.));
    let trained = firsts(Ctx::train(1, 1));
    assert!(trained.iter().all(|v| *v == 1. || *v == 21.) && trained.contains(&1.) && trained.contains(&21.));
    assert_eq!(trained, firsts(Ctx::train(1, 1)));
}

#[test]
fn layers_may_be_left_out() {
    let left = LeaveOut::new([(Stack::DECODER, 1)]);
    let config = BottleneckConfig { leave_out: left, reduction_factor: 2., ..BottleneckConfig::default() };
    let plan = Plan::resolve(&toy_sites(3, 2), &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
    let layers: Vec<_> = plan.targets().iter().map(|target| target.site.layer).collect();
    assert_eq!(layers, [0, 2]);
}

#[test]
fn values_that_cannot_work_are_refused() {
    let message = |config| plan(config).1.unwrap_err().to_string();
    assert_eq!(
        message(BottleneckConfig { reduction_factor: 3., ..BottleneckConfig::default() }),
        "BOTTLENECK: reduction_factor is 3, expected above 0 and at most the hidden size 2"
    );
    assert_eq!(
        message(BottleneckConfig { dropout: 1., reduction_factor: 1., ..BottleneckConfig::default() }),
        "BOTTLENECK: dropout is 1, expected 0 or more and below 1"
    );
}

#[test]
fn configuration_round_trips_by_its_name() {
    let text = r#"{"peft_type":"BOTTLENECK","is_parallel":true,"scaling":4.0,"leave_out":{"encoder":[0]}}"#;
    let config: Box<dyn PeftConfig> = serde_json::from_str(text).unwrap();
    let back = serde_json::to_value(&config).unwrap();
    assert_eq!(back["leave_out"], serde_json::json!({"encoder": [0]}));
    assert_eq!((&back["scaling"], &back["reduction_factor"]), (&4.0.into(), &32.0.into()));
}
