#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{D, Device, Tensor};
use peft_core::{
    ActiveAdapters, AdapterWeights, Ctx, KeyValuePrefix, PeftConfig, Plan, PrefixPlacement, Site, SiteInput, SiteKind,
    SiteRole, Sites, Stack, nonzero,
};

use super::{PrefixConfig, PrefixTuningConfig};
use crate::{NonLinearity, UnionConfig};

const KEYS: usize = 3;
const D_MODEL: usize = 2;

/// The attentions of one layer: an encoder's, and a decoder's two. Keys have three features, the model two.
fn sites() -> Sites {
    let mut sites = Sites::default();
    let attentions = [(Stack::ENCODER, "self"), (Stack::DECODER, "self"), (Stack::DECODER, "cross")];
    for (stack, name) in attentions {
        sites.add(Site {
            path: format!("{stack}.{name}.kv"),
            stack,
            layer: 0,
            role: SiteRole::from(format!("{name}.kv")),
            kind: SiteKind::KeyValue { dim: KEYS, queries: D_MODEL, heads: 1 },
            bias: false,
        });
    }
    sites
}

fn resolve(config: impl PeftConfig + 'static) -> peft_core::Result<Plan> {
    Plan::resolve(&sites(), &[Box::new(config) as Box<dyn PeftConfig>])
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.targets().iter().map(|target| target.site.path.as_str()).collect()
}

/// Weights that all differ, different ones for every `seed`.
fn weights(plan: &Plan, seed: usize) -> AdapterWeights {
    let weight = |dims: &[usize], salt: usize| {
        let n: usize = dims.iter().product();
        let value = |i: usize| ((i * 7 + salt * 13 + seed * 29) % 23) as f32 / 10. - 1.1;
        Tensor::from_vec((0..n).map(value).collect::<Vec<_>>(), dims, &Device::Cpu).unwrap()
    };
    let target = |(e, target): (usize, &peft_core::TargetedModule)| {
        target.params.iter().enumerate().map(|(p, spec)| weight(&spec.dims, e * 10 + p)).collect()
    };
    AdapterWeights::new(plan.targets().iter().enumerate().map(target).collect())
}

/// Two rows: one key joined with its value, and the streams of two queries.
fn inputs() -> (Tensor, Tensor) {
    let key_values = Tensor::new(&[[[1f32, 2., 3., 4., 5., 6.]], [[-1., -2., -3., -4., -5., -6.]]], &Device::Cpu);
    let queries = Tensor::new(&[[[0.5f32, -1.], [2., 1.5]], [[-0.25, 3.], [1., 0.75]]], &Device::Cpu);
    (key_values.unwrap(), queries.unwrap())
}

fn apply(plan: &Plan, weights: &AdapterWeights, path: &str, rows: std::ops::Range<usize>) -> Tensor {
    let (key_values, queries) = inputs();
    let of = |t: &Tensor| t.narrow(0, rows.start, rows.len()).unwrap().contiguous().unwrap();
    let active = ActiveAdapters::new(plan, weights).unwrap();
    active.apply(sites().find(path).unwrap(), SiteInput::new(&of(&queries), of(&key_values)), &mut Ctx::eval()).unwrap()
}

fn flat(use_gating: bool, shared_gating: bool) -> PrefixConfig {
    PrefixConfig { prefix_length: nonzero(2), flat: true, use_gating, shared_gating, ..PrefixConfig::default() }
}

#[test]
fn adapterhub_acts_on_every_attention_and_peft_on_the_decoders_past() {
    assert_eq!(paths(&resolve(flat(false, true)).unwrap()), ["encoder.self.kv", "decoder.self.kv", "decoder.cross.kv"]);
    let decoder = PrefixConfig { encoder_prefix: false, cross_prefix: false, ..flat(false, true) };
    assert_eq!(paths(&resolve(decoder).unwrap()), ["decoder.self.kv"]);
    assert_eq!(paths(&resolve(PrefixTuningConfig::default()).unwrap()), ["decoder.self.kv"]);
}

#[test]
fn each_method_says_where_its_prefix_counts_and_keeps_the_name_of_its_weight() {
    let past = PrefixTuningConfig::default();
    let as_python = PrefixTuningConfig { decode_as_transformers: true, ..PrefixTuningConfig::default() };
    let both = UnionConfig { configs: vec![Box::new(past.clone()), Box::new(flat(false, true))] };
    let (past, as_python, hub, both) = (resolve(past), resolve(as_python), resolve(flat(false, true)), resolve(both));
    let expected = [
        (past, vec![(20, PrefixPlacement::Past)], "decoder.self.kv.past.prefix"),
        (as_python, vec![(20, PrefixPlacement::UncountedPast)], "decoder.self.kv.uncounted_past.prefix"),
        (hub, vec![(2, PrefixPlacement::Shifting)], "decoder.self.kv.prefix"),
        (both, vec![(20, PrefixPlacement::Past), (2, PrefixPlacement::Shifting)], "decoder.self.kv.past.prefix"),
    ];
    for (plan, prefixes, key) in expected {
        let plan = plan.unwrap();
        let target = plan.targets().iter().find(|target| target.site.path == "decoder.self.kv").unwrap();
        let expected: Vec<KeyValuePrefix> =
            prefixes.into_iter().map(|(length, placement)| KeyValuePrefix { length, placement }).collect();
        assert_eq!(target.module.prefixes(), expected);
        assert_eq!(target.key(&target.params[0]), key);
        let weights = weights(&plan, 1);
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        assert_eq!(active.prefixes(sites().find("decoder.self.kv").unwrap()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_table_comes_before_keys_and_values() {
    let plan = resolve(flat(false, true)).unwrap();
    let weights = weights(&plan, 1);
    let out = apply(&plan, &weights, "decoder.self.kv", 0..2);
    assert_eq!(out.dims(), [2, 3, 2 * KEYS]);
    let table = weights.of_target(1)[0].to_vec2::<f32>().unwrap();
    for (row, own) in out.to_vec3::<f32>().unwrap().iter().zip(inputs().0.to_vec3::<f32>().unwrap()) {
        assert_eq!(row[..2], table[..]);
        assert_eq!(row[2], own[0]);
    }
}

/// The gate by its definition, for row `row`: the mean over the queries of a sigmoid.
fn gate(weight: &[f32], bias: f32, row: usize) -> f32 {
    let queries = inputs().1.to_vec3::<f32>().unwrap();
    let one = |x: &Vec<f32>| 1. / (1. + (-(x[0] * weight[0] + x[1] * weight[1] + bias)).exp());
    queries[row].iter().map(one).sum::<f32>() / 2.
}

#[test]
fn gates_scale_keys_and_values_by_the_mean_over_the_queries() {
    for shared in [true, false] {
        let plan = resolve(flat(true, shared)).unwrap();
        let weights = weights(&plan, 2);
        let [table, weight, bias] = peft_core::take(weights.of_target(2)).unwrap();
        let (table, weight) = (table.to_vec2::<f32>().unwrap(), weight.to_vec2::<f32>().unwrap());
        let bias = bias.to_vec1::<f32>().unwrap();
        assert_eq!(weight.len(), if shared { 1 } else { 2 });
        let out = apply(&plan, &weights, "decoder.cross.kv", 0..2).to_vec3::<f32>().unwrap();
        for (row, out) in out.iter().enumerate() {
            let last = weight.len() - 1;
            let (keys, values) = (gate(&weight[0], bias[0], row), gate(&weight[last], bias[last], row));
            for (front, table) in out[..2].iter().zip(&table) {
                for (f, (ours, t)) in front.iter().zip(table).enumerate() {
                    let expected = t * if f < KEYS { keys } else { values };
                    assert!((ours - expected).abs() < 1e-6, "{ours} {expected}");
                }
            }
        }
    }
}

#[test]
fn a_projection_is_one_network_with_rows_for_each_attention() {
    let config = PrefixConfig { flat: false, bottleneck_size: nonzero(4), ..flat(false, true) };
    let plan = resolve(config).unwrap();
    let target = &plan.targets()[1];
    let keys: Vec<_> = target.params.iter().map(|p| (target.key(p), p.dims.clone())).collect();
    let expected = [
        ("prefix_tuning.self_prefix.wte.weight", vec![2, D_MODEL]),
        ("prefix_tuning.self_prefix.down.weight", vec![4, D_MODEL]),
        ("prefix_tuning.self_prefix.down.bias", vec![4]),
        ("decoder.self.kv.prefix.up.weight", vec![2 * KEYS, 4]),
        ("decoder.self.kv.prefix.up.bias", vec![2 * KEYS]),
    ];
    assert_eq!(keys, expected.map(|(name, dims)| (name.to_owned(), dims)));

    let weights = weights(&plan, 3);
    let [e, w, b, u, c] = peft_core::take(weights.of_target(1)).unwrap();
    let hidden = e.matmul(&w.t().unwrap()).unwrap().broadcast_add(b).unwrap().tanh().unwrap();
    let prefix = hidden.matmul(&u.t().unwrap()).unwrap().broadcast_add(c).unwrap();
    let out = apply(&plan, &weights, "decoder.self.kv", 1..2).narrow(1, 0, 2).unwrap().squeeze(0).unwrap();
    let gap = (out - prefix).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(gap < 1e-6, "{gap}");
}

#[test]
fn each_row_may_have_its_own_weights() {
    let relu = PrefixConfig { flat: false, non_linearity: NonLinearity::Relu, ..flat(true, false) };
    for config in [flat(false, true), flat(true, true), relu] {
        let plan = resolve(config.clone()).unwrap();
        let banks = [weights(&plan, 4), weights(&plan, 5)];
        let mixed = AdapterWeights::rows(&banks, &[1, 0]).unwrap();
        for path in ["encoder.self.kv", "decoder.cross.kv"] {
            let together = apply(&plan, &mixed, path, 0..2);
            let apart = [apply(&plan, &banks[1], path, 0..1), apply(&plan, &banks[0], path, 1..2)];
            let apart = Tensor::cat(&apart, 0).unwrap();
            let gap = (together - apart).unwrap().abs().unwrap().max(D::Minus1).unwrap();
            let gap = gap.max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(gap < 1e-5, "{config:?} at {path}: {gap}");
        }
    }
}

#[test]
fn dropout_is_a_probability() {
    let error = resolve(PrefixConfig { dropout: 1., ..flat(false, true) }).unwrap_err();
    assert_eq!(error.to_string(), "PREFIX: dropout is 1, expected 0 or more and below 1");
}
