//! Folders for a toy backbone: what is read and written, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use peft_core::toy::toy_sites;
use peft_core::{AdapterCheckpoint, PeftConfig, Result, Sites, Stack, TargetModules, nonzero};
use peft_lora::files::BaseModel;
use peft_lora::{Ia3Config, LoraConfig};
use serde_json::{Value, json};

use super::bottleneck::BnFields;
use super::fields::fields;
use super::{AdapterHubFolder, AdapterHubOptions, read_adapterhub, write_adapterhub};
use crate::{BottleneckConfig, LeaveOut, NonLinearity};

/// Three decoder layers of width 8 with `q`, `v` and the output of feed-forward.
fn sites() -> Sites {
    toy_sites(3, 8)
}

fn boxed(config: impl PeftConfig + 'static) -> Box<dyn PeftConfig> {
    Box::new(config)
}

/// Weights of all different values for `methods`.
fn adapter(methods: Vec<Box<dyn PeftConfig>>) -> AdapterCheckpoint {
    let mut adapter = AdapterCheckpoint { methods, weights: BTreeMap::new() };
    let plan = adapter.plan(&sites()).unwrap();
    let mut first = 0.;
    for (target, param) in plan.targets().iter().flat_map(|e| e.params.iter().map(move |p| (e, p))) {
        let last = first + param.num_parameters() as f32;
        let values = Tensor::arange(first, last, &Device::Cpu).unwrap().reshape(param.dims.as_slice()).unwrap();
        adapter.weights.insert(super::names::name(target, param), values);
        first = last;
    }
    adapter
}

fn written(methods: Vec<Box<dyn PeftConfig>>) -> Result<(tempfile::TempDir, Value)> {
    let folder = tempfile::tempdir().unwrap();
    write_adapterhub(folder.path(), &adapter(methods), &BaseModel::new(&sites()), &AdapterHubOptions::default())?;
    let config: Value = AdapterHubFolder::read(folder.path())?.parse()?;
    Ok((folder, config.get("config").unwrap().clone()))
}

fn refusal(methods: Vec<Box<dyn PeftConfig>>) -> String {
    written(methods).unwrap_err().to_string()
}

fn read_folder(path: &Path) -> Result<AdapterCheckpoint> {
    read_adapterhub(path, &BaseModel::new(&sites()))
}

/// Reads a folder with this configuration and no weights.
fn read(config: Value) -> Result<AdapterCheckpoint> {
    read_with(config, BTreeMap::new())
}

fn read_with(config: Value, tensors: BTreeMap<String, Tensor>) -> Result<AdapterCheckpoint> {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"config": config, "name": "task", "version": "adapters.1.3.0"}).to_string();
    AdapterHubFolder::new(folder.path(), config, tensors).write()?;
    read_folder(folder.path())
}

fn seq_bn(more: Value) -> Value {
    let mut config = json!({
        "mh_adapter": false, "output_adapter": true, "reduction_factor": 4, "non_linearity": "relu",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn zeros(dims: &[(&str, &[usize])]) -> BTreeMap<String, Tensor> {
    let zero = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    dims.iter().map(|(name, dims)| (format!("layers.{name}"), zero(dims))).collect()
}

#[test]
fn fields_that_a_file_leaves_out_have_the_defaults_of_adapterhub() {
    let fields: BnFields = fields(&seq_bn(json!({"original_ln_before": true, "phm_dim": 4}))).unwrap();
    let expected = BottleneckConfig {
        mh_adapter: false,
        reduction_factor: 4.,
        non_linearity: NonLinearity::Relu,
        original_ln_before: true,
        // HyperLoader's adapter has this layer norm.
        ln_after: false,
        ..BottleneckConfig::default()
    };
    assert_eq!(fields.configs(&sites()).unwrap(), [expected]);
}

#[test]
fn a_field_of_another_type_is_refused() {
    for (more, found) in [
        (json!({"ln_before": 3}), "ln_before: expected true or false, found the number 3"),
        (json!({"dropout": null}), "dropout: expected a number, found null"),
    ] {
        let error = read(seq_bn(more)).unwrap_err().to_string();
        assert!(error.ends_with(found), "{error}");
    }
}

#[test]
fn values_come_back_from_their_places() {
    let methods = || {
        let bottleneck = BottleneckConfig { bottleneck_size: Some(nonzero(3)), ln_before: true, ..Default::default() };
        vec![boxed(LoraConfig { r: nonzero(2), ..LoraConfig::default() }), boxed(bottleneck)]
    };
    let (folder, config) = written(methods()).unwrap();
    assert_eq!(config["architecture"], "union");
    let tensors = AdapterHubFolder::read(folder.path()).unwrap().tensors;
    let of = |name: &str| tensors.get(&format!("layers.1.{name}")).unwrap().dims().to_vec();
    assert_eq!(of("q.loras.task.lora_A"), [2, 8]);
    // The norm before is in one sequence with the down projection, and registered alone too.
    assert_eq!(of("ffn.adapters.task.adapter_down.0.weight"), [8]);
    assert_eq!(of("ffn.adapters.task.adapter_norm_before.weight"), [8]);
    assert_eq!(of("ffn.adapters.task.adapter_down.1.weight"), [3, 8]);
    assert_eq!(of("ffn.adapters.task.adapter_norm_after.bias"), [8]);

    let (before, after) = (adapter(methods()), read_folder(folder.path()).unwrap());
    assert_eq!(before.weights.keys().collect::<Vec<_>>(), after.weights.keys().collect::<Vec<_>>());
    for (name, tensor) in &before.weights {
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(tensor), values(after.weights.get(name).unwrap()), "{name}");
    }
}

#[test]
fn names_of_one_weight_must_agree() {
    let (folder, _) =
        written(vec![boxed(BottleneckConfig { ln_before: true, reduction_factor: 2., ..Default::default() })]).unwrap();
    let mut files = AdapterHubFolder::read(folder.path()).unwrap();
    let key = "layers.0.ffn.adapters.task.adapter_norm_before.bias";
    files.tensors.insert(key.to_owned(), Tensor::ones(8, DType::F32, &Device::Cpu).unwrap());
    files.write().unwrap();
    let message = read_folder(folder.path()).unwrap_err().to_string();
    assert!(message.contains(key) && message.contains("one weight, but their values differ"), "{message}");
    // One of the names is enough.
    files.tensors.retain(|name, _| !name.contains("adapter_norm_before"));
    files.write().unwrap();
    read_folder(folder.path()).unwrap();
}

#[test]
fn a_factor_that_python_divides_otherwise_keeps_its_width() {
    for width in 1..=8 {
        let config = BottleneckConfig { bottleneck_size: Some(nonzero(width)), ..BottleneckConfig::seq_bn() };
        let (folder, config) = written(vec![boxed(config)]).unwrap();
        let factor = config["reduction_factor"].as_f64().unwrap();
        assert_eq!(super::width::their_width(factor, 8), width, "{factor}");
        read_folder(folder.path()).unwrap();
    }
    // 768 // (768 / 13) is 12 in Python, since 768 / 13 is rounded up.
    assert_eq!(super::width::their_width(768. / 13., 768), 12);
    // A bottleneck is never narrower than one.
    assert_eq!(super::width::their_width(10., 8), 1);
}

#[test]
fn layers_may_have_factors_of_their_own() {
    let weights = |layer, width: usize| {
        let name = |part| format!("{layer}.ffn.adapters.task.{part}");
        let zero = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        [
            ("adapter_down.0.weight", vec![width, 8]),
            ("adapter_down.0.bias", vec![width]),
            ("adapter_up.weight", vec![8, width]),
            ("adapter_up.bias", vec![8]),
        ]
        .map(|(part, dims)| (format!("layers.{}", name(part)), zero(&dims)))
    };
    let tensors = || [weights(0, 4), weights(2, 2)].into_iter().flatten().collect();
    let by_layer = json!({"reduction_factor": {"0": 2, "default": 4}, "leave_out": [1]});
    let adapter = read_with(seq_bn(by_layer), tensors()).unwrap();
    let plan = adapter.plan(&sites()).unwrap();
    let widths: Vec<_> =
        plan.targets().iter().map(|e| (e.site.layer, e.params.first().unwrap().dims.clone())).collect();
    assert_eq!(widths, [(0, vec![4, 8]), (2, vec![2, 8])]);

    let message = read(seq_bn(json!({"reduction_factor": {"0": 2}}))).unwrap_err().to_string();
    assert!(message.ends_with("reduction_factor has neither an entry for layer 1 nor a \"default\""), "{message}");
}

#[test]
fn a_missing_field_or_one_that_means_something_else_is_refused_by_name() {
    for (more, expected) in [
        (json!({"inv_adapter": "nice"}), "inv_adapter asks for"),
        (json!({"stochastic_depth": 0.1}), "stochastic_depth is not 0"),
        (json!({"scaling": "learned"}), "scaling is \"learned\""),
        (json!({"residual_before_ln": "post_add"}), "residual_before_ln is \"post_add\""),
        (json!({"non_linearity": "prelu"}), "non_linearity is \"prelu\""),
        (json!({"phm_layer": true, "shared_W_phm": true}), "shared_W_phm is true with phm_layer"),
        (json!({"phm_layer": true, "is_parallel": true}), "is_parallel is true with phm_layer"),
        (json!({"architecture": "reft"}), "architecture is \"reft\""),
        (json!({"architecture": "lora", "vera_d": 0.1}), "vera_d asks for VeRA"),
        (json!({"architecture": "lora", "composition_mode": "scale"}), "r is 8, expected 1"),
        (json!({"architecture": "lora", "use_dora": true, "r": 4, "alpha": 8}), "use_dora comes with"),
    ] {
        let message = read(seq_bn(more)).unwrap_err().to_string();
        assert!(message.starts_with(&format!("adapter_config.json: {expected}")), "{message}");
    }
    let message = read(json!({"mh_adapter": true})).unwrap_err().to_string();
    assert_eq!(message, "adapter_config.json: config missing key \"output_adapter\"");
}

#[test]
fn all_missing_weights_are_named() {
    let config = json!({"architecture": "lora", "r": 2, "attn_matrices": ["v"]});
    let tensors = zeros(&[("0.v.loras.task.lora_A", &[2, 8]), ("1.v.loras.task.lora_B", &[8, 2])]);
    let message = read_with(config, tensors).unwrap_err().to_string();
    let missing = ["0.v.loras.task.lora_B", "1.v.loras.task.lora_A", "2.v.loras.task.lora_A", "2.v.loras.task.lora_B"];
    assert_eq!(message, format!("missing weights: {}", missing.map(|key| format!("layers.{key}")).join(", ")));
}

#[test]
fn ia3_scales_by_alpha_and_gates_take_the_place_of_loras_scale() {
    let vectors = [0, 1, 2].map(|layer| (format!("layers.{layer}.v.loras.task.lora_B"), 2f32));
    let tensors = vectors.map(|(name, value)| (name, Tensor::full(value, (8, 1), &Device::Cpu).unwrap()));
    let ia3 = json!({"architecture": "lora", "r": 1, "alpha": 3, "composition_mode": "scale", "attn_matrices": ["v"]});
    let adapter = read_with(ia3, BTreeMap::from(tensors)).unwrap();
    let l = adapter.weights.get("base_model.model.layers.0.v.ia3_l").unwrap();
    assert_eq!(l.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [6.; 8]);

    let gated = LoraConfig { r: nonzero(2), lora_alpha: 2., use_gating: true, ..LoraConfig::default() };
    let (folder, config) = written(vec![boxed(gated.clone())]).unwrap();
    assert_eq!((&config["use_gating"], &config["alpha"]), (&json!(true), &json!(2)));
    let adapter = read_folder(folder.path()).unwrap();
    assert_eq!(serde_json::to_value(adapter.methods.first().unwrap()).unwrap()["lora_alpha"], json!(2.));
    let message = refusal(vec![boxed(LoraConfig { lora_alpha: 5., ..gated })]);
    assert!(message.starts_with("LORA: use_gating comes with the scale 2.5"), "{message}");
}

#[test]
fn places_that_adapterhub_has_no_fields_for_are_refused() {
    let lora = |names: &[&str]| LoraConfig {
        target_modules: TargetModules::suffixes(names.to_vec()),
        ..LoraConfig::default()
    };
    // Whole layers may be left out.
    let (_, config) = written(vec![boxed(lora(&["layers.0.q", "layers.2.q"]))]).unwrap();
    assert_eq!((&config["attn_matrices"], &config["leave_out"]), (&json!(["q"]), &json!([1])));
    let message = refusal(vec![boxed(lora(&["layers.0.q", "layers.0.v", "layers.1.q"]))]);
    assert!(message.starts_with("LORA: target_modules mean that it does not act at layers.1.v, which"), "{message}");
}

#[test]
fn what_would_compute_something_else_is_not_written() {
    let small = || BottleneckConfig { reduction_factor: 2., ..BottleneckConfig::default() };
    let message = refusal(vec![boxed(BottleneckConfig { layer_norm_eps: 1e-6, ..small() })]);
    assert_eq!(
        message,
        "BOTTLENECK: layer_norm_eps is 0.000001; AdapterHub's layer norms have 0.00001 and no field for it"
    );
    // Without layer norms there is no epsilon to differ.
    written(vec![boxed(BottleneckConfig { layer_norm_eps: 1e-6, ln_after: false, ..small() })]).unwrap();

    let patterned: LoraConfig = serde_json::from_value(json!({"rank_pattern": {"v": 2}})).unwrap();
    assert!(refusal(vec![boxed(patterned)]).starts_with("LORA: rank_pattern gives modules different ranks"));
    let saved = LoraConfig { modules_to_save: vec!["q".to_owned()], ..LoraConfig::default() };
    assert!(refusal(vec![boxed(saved)]).starts_with("LORA: modules_to_save asks for whole weights"));
    let inputs = Ia3Config {
        target_modules: TargetModules::suffixes(["v"]),
        feedforward_modules: TargetModules::suffixes(["v"]),
        ..Ia3Config::default()
    };
    assert!(refusal(vec![boxed(inputs)]).starts_with("IA3: feedforward_modules rescales the input of layers.0.v"));
    let scale = peft_core::toy::Scale { target_modules: TargetModules::suffixes(["v"]) };
    assert!(refusal(vec![boxed(scale)]).starts_with("TOY_SCALE: peft_type is not supported"));

    let dotted = AdapterHubOptions::new("a.b");
    let folder = tempfile::tempdir().unwrap();
    let message = write_adapterhub(folder.path(), &adapter(vec![boxed(small())]), &BaseModel::new(&sites()), &dotted);
    assert!(message.unwrap_err().to_string().contains("name is \"a.b\""));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn two_methods_of_a_family_must_keep_apart() {
    let lora = |name| LoraConfig { target_modules: TargetModules::suffixes([name]), ..LoraConfig::default() };
    let message = refusal(vec![boxed(lora("q")), boxed(lora("v"))]);
    assert!(message.contains("configs has two methods with selfattn_lora in layer 0"), "{message}");
    let layers = |left: [usize; 2], reduction_factor| {
        let leave_out = LeaveOut::new(left.map(|layer| (Stack::DECODER, layer)));
        boxed(BottleneckConfig { leave_out, reduction_factor, ..BottleneckConfig::default() })
    };
    written(vec![layers([0, 1], 2.), layers([2, 2], 4.)]).unwrap();
}

#[test]
fn only_dora_needs_the_backbones_tensors() {
    let dora = || vec![boxed(LoraConfig::new(2).alpha(2.).use_dora(true))];
    let message = refusal(dora());
    assert!(message.contains("layers.0.q.weight"), "{message}");
    let weight =
        |site: &peft_core::Site| (format!("{}.weight", site.path), Tensor::ones((8, 8), DType::F32, &Device::Cpu));
    let tensors = sites().iter().map(weight).map(|(name, tensor)| (name, tensor.unwrap())).collect();
    let (sites, adapter, folder) = (sites(), adapter(dora()), tempfile::tempdir().unwrap());
    let base = BaseModel::new(&sites).tensors(&tensors);
    write_adapterhub(folder.path(), &adapter, &base, &AdapterHubOptions::default()).unwrap();
    assert!(read_folder(folder.path()).unwrap_err().to_string().contains("layers.0.q.weight"));
    read_adapterhub(folder.path(), &base).unwrap();
}
