#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use candle_core::{Device, Tensor};
use peft_core::toy::{Scale, toy_sites};
use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, SiteInput, TargetModules, nonzero};
use peft_lora::LoraConfig;
use serde_json::json;

use super::{MamConfig, UniPeltConfig, UnionConfig, members};
use crate::{BottleneckConfig, PrefixConfig};

fn boxed(config: impl PeftConfig + 'static) -> Box<dyn PeftConfig> {
    Box::new(config)
}

/// LoRA of rank 1 with a scale of 3 on `q`, and a factor for `q` and `v`.
fn parts() -> Vec<Box<dyn PeftConfig>> {
    let q = || TargetModules::suffixes(["q"]);
    let lora = LoraConfig { r: nonzero(1), lora_alpha: 3., target_modules: q(), ..LoraConfig::default() };
    vec![boxed(lora), boxed(Scale { target_modules: TargetModules::suffixes(["q", "v"]) })]
}

fn weights() -> [Tensor; 3] {
    let tensor = |values: &[f32], dims: &[usize]| Tensor::from_slice(values, dims, &Device::Cpu).unwrap();
    [tensor(&[2., -1.], &[1, 2]), tensor(&[0.5, 4.], &[2, 1]), tensor(&[10., -2.], &[2])]
}

#[test]
fn a_union_computes_what_its_members_do_one_after_the_other() {
    let sites = toy_sites(1, 2);
    let [a, b, s] = weights();
    let apart = Plan::resolve(&sites, &parts()).unwrap();
    let apart_bank = AdapterWeights::new(vec![vec![a.clone(), b.clone()], vec![s.clone()], vec![(&s * 0.5).unwrap()]]);
    let union = Plan::resolve(&sites, &[boxed(UnionConfig { configs: parts() })]).unwrap();
    let union_bank = AdapterWeights::new(vec![vec![a, b, s.clone()], vec![(&s * 0.5).unwrap()]]);
    assert_eq!(apart.num_parameters(), union.num_parameters());

    let (x, y) = (Tensor::new(&[[[1f32, 2.5]]], &Device::Cpu).unwrap(), Tensor::new(&[[[7f32, -3.]]], &Device::Cpu));
    let (y, w) = (y.unwrap(), Tensor::new(&[[1f32, 2.], [3., 5.]], &Device::Cpu).unwrap());
    let (apart, union) =
        (ActiveAdapters::new(&apart, &apart_bank).unwrap(), ActiveAdapters::new(&union, &union_bank).unwrap());
    for path in ["layers.0.q", "layers.0.v"] {
        let site = sites.find(path).unwrap();
        let run = |active: &ActiveAdapters<'_>| {
            let out = active.apply(site, SiteInput::new(&x, y.clone()).base(&w), &mut Ctx::eval()).unwrap();
            (out.to_vec3::<f32>().unwrap(), active.merge(site, &w).unwrap().weight().unwrap().to_vec2::<f32>().unwrap())
        };
        assert_eq!(run(&union), run(&apart));
    }
    // A x = -0.5, 3 B A x = (-0.75, -6); (7 - 0.75, -3 - 6) ⊙ (10, -2).
    let q = union.apply(sites.find("layers.0.q").unwrap(), SiteInput::new(&x, y), &mut Ctx::eval()).unwrap();
    assert_eq!(q.to_vec3::<f32>().unwrap(), [[[62.5, 18.]]]);
}

#[test]
fn two_members_may_not_claim_one_weight() {
    let twice = || boxed(LoraConfig { target_modules: TargetModules::suffixes(["q"]), ..LoraConfig::default() });
    let error = Plan::resolve(&toy_sites(1, 2), &[boxed(UnionConfig { configs: vec![twice(), twice()] })]).unwrap_err();
    assert!(error.to_string().contains("layers.0.q.lora_A.weight"), "{error}");
}

#[test]
fn presets_are_those_of_the_papers_and_files_change_single_fields() {
    let mam: MamConfig = serde_json::from_value(json!({"adapter": {"reduction_factor": 4.0}})).unwrap();
    let adapter = BottleneckConfig { reduction_factor: 4., ..BottleneckConfig::par_bn() };
    assert_eq!(mam, MamConfig { adapter, ..MamConfig::default() });
    assert_eq!(mam.prefix_tuning, PrefixConfig { bottleneck_size: nonzero(800), ..PrefixConfig::default() });

    let given = json!({"peft_type": "UNIPELT", "lora": {"r": 4, "use_gating": false}});
    let unipelt: Box<dyn PeftConfig> = serde_json::from_value(given).unwrap();
    let members = serde_json::to_value(members(&[unipelt])).unwrap();
    let expected = [
        ("PREFIX", "prefix_length", json!(10)),
        ("BOTTLENECK", "reduction_factor", json!(16.)),
        ("LORA", "lora_alpha", json!(2.)),
    ];
    for (member, (kind, field, value)) in members.as_array().unwrap().iter().zip(expected) {
        assert_eq!((&member["peft_type"], &member[field], &member["use_gating"]), (&json!(kind), &value, &json!(true)));
    }
    assert_eq!(members[2]["r"], 4);
    assert_eq!(members[1]["original_ln_before"], true);
    assert!(UniPeltConfig::default().lora.use_gating);
}

#[test]
fn unknown_fields_of_a_member_are_refused() {
    let error = serde_json::from_value::<MamConfig>(json!({"adapter": {"reduction": 4}})).unwrap_err().to_string();
    assert!(error.contains("unknown key \"reduction\""), "{error}");
}
