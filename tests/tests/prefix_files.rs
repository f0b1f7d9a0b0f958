//! Prompts, prefixes and the unions that hold prefixes, in the folders of Hugging Face `peft` and of AdapterHub.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use peft_adapter::files::{
    AdapterHubFolder, AdapterHubOptions, BaseModel, read_adapterhub, read_peft, write_adapterhub, write_peft,
};
use peft_adapter::{MamConfig, PrefixConfig, PrefixTuningConfig, PromptTuningConfig, UniPeltConfig};
use peft_core::{
    ActiveAdapters, AdapterCheckpoint, AdapterWeights, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig,
    StaticConfig, Tasks,
};
use peft_lora::files::PeftFolder;
use peft_t5::{CacheSize, PackedStep, PackedTokens, T5, Weights, preset};
use peft_tests::compat::{CompatGolden, compat_goldens};
use serde_json::Value;

fn peft_goldens() -> Vec<CompatGolden> {
    compat_goldens(4, |config| matches!(config["peft_type"].as_str(), Some("PROMPT_TUNING" | "PREFIX_TUNING")))
}

/// Prefixes, and unions with a prefix.
fn hub_goldens() -> Vec<CompatGolden> {
    let is_prefix = |config: &Value| config["architecture"] == "prefix_tuning";
    let members = |config: &Value| config["configs"].as_array().cloned().unwrap_or_default();
    compat_goldens(3, |whole| is_prefix(&whole["config"]) || members(&whole["config"]).iter().any(is_prefix))
}

/// Whether it is a name that an attention gives to what all attentions share.
fn is_copy(key: &str) -> bool {
    key.contains(".prefix_tuning.pool.")
}

fn check(golden: &CompatGolden, adapter: &AdapterCheckpoint) {
    let (plan, weights) = adapter.build(golden.t5.sites(), &Device::Cpu).unwrap();
    golden.check(&golden.t5, &ActiveAdapters::new(&plan, &weights).unwrap());
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_peft_folder_computes_what_peft_does_and_goes_round() {
    for golden in peft_goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors).name("t5-tiny");
        let adapter = read_peft(&golden.path, &base).unwrap();
        check(&golden, &adapter);

        let folder = tempfile::tempdir().unwrap();
        write_peft(folder.path(), &adapter, &base).unwrap();
        let again = read_peft(folder.path(), &base).unwrap();
        check(&golden, &again);
        assert_eq!(adapter.weights.len(), again.weights.len());
        for (name, tensor) in &adapter.weights {
            assert_eq!(bits(tensor), bits(&again.weights[name]), "{}: {name}", golden.name);
        }
    }
}

#[test]
fn every_adapterhub_folder_computes_what_adapterhub_does_and_goes_round() {
    for golden in hub_goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors);
        let adapter = read_adapterhub(&golden.path, &base).unwrap();
        check(&golden, &adapter);

        let folder = tempfile::tempdir().unwrap();
        let name = golden.config["name"].as_str().unwrap().to_owned();
        write_adapterhub(folder.path(), &adapter, &base, &AdapterHubOptions::new(name)).unwrap();
        check(&golden, &read_adapterhub(folder.path(), &base).unwrap());
        let (theirs, ours) =
            (AdapterHubFolder::read(&golden.path).unwrap(), AdapterHubFolder::read(folder.path()).unwrap());
        for (name, tensor) in &ours.tensors {
            assert_eq!(bits(tensor), bits(&theirs.tensors[name]), "{}: {name}", golden.name);
        }
        let own = |key: &&String| !is_copy(key);
        assert_eq!(theirs.tensors.keys().filter(own).collect::<Vec<_>>(), ours.tensors.keys().collect::<Vec<_>>());
    }
}

#[test]
fn copies_of_a_weight_that_differ_are_refused() {
    for golden in hub_goldens() {
        let mut copy = AdapterHubFolder::read(&golden.path).unwrap();
        let (key, tensor) = copy.tensors.iter().find(|(key, _)| is_copy(key)).unwrap();
        let (key, other) = (key.clone(), (tensor + 1.).unwrap());
        copy.tensors.insert(key.clone(), other);
        let folder = tempfile::tempdir().unwrap();
        copy.path = folder.path().to_path_buf();
        copy.write().unwrap();
        let error = read_adapterhub(folder.path(), &BaseModel::new(golden.t5.sites())).unwrap_err().to_string();
        assert!(error.contains(&key) && error.ends_with("are one weight, but their values differ"), "{error}");
    }
}

#[test]
fn a_peft_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    for golden in peft_goldens() {
        let tensors = golden.base();
        let base = BaseModel::new(golden.t5.sites()).tensors(&tensors);
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut PeftFolder)| {
            let mut copy = PeftFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            change(&mut copy);
            copy.write().unwrap();
            read_peft(folder.path(), &base).unwrap_err().to_string()
        };
        let key = "prompt_embeddings";
        let missing = changed(&|copy| drop(copy.tensors.remove(key)));
        assert_eq!(missing, "missing weights: prompt_embeddings");
        let unknown = changed(&|copy| drop(copy.tensors.insert("more".to_owned(), copy.tensors[key].clone())));
        assert!(unknown.starts_with("unknown weights: more"), "{unknown}");
        let shape = changed(&|copy| {
            copy.tensors.insert(key.to_owned(), copy.tensors[key].pad_with_zeros(1, 0, 1).unwrap());
        });
        let dims = PeftFolder::read(&golden.path).unwrap().tensors[key].dims().to_vec();
        let wider = [dims[0], dims[1] + 1];
        assert_eq!(shape, format!("prompt_embeddings: expected shape {dims:?}, found {wider:?}"));
        let modules = changed(&|copy| {
            copy.config = copy.config.replace("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]");
        });
        assert!(modules.contains("adapter_config.json: modules_to_save is set"), "{modules}");
        let tokens = changed(&|copy| {
            copy.config = copy.config.replace("\"num_virtual_tokens\": 3", "\"num_virtual_tokens\": 4");
        });
        assert!(tokens.starts_with("prompt_embeddings: expected shape ["), "{tokens}");
    }
}

#[test]
fn an_adapterhub_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    for golden in hub_goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors);
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut AdapterHubFolder)| {
            let mut copy = AdapterHubFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            copy.tensors.retain(|key, _| !is_copy(key));
            change(&mut copy);
            copy.write().unwrap();
            read_adapterhub(folder.path(), &base).unwrap_err().to_string()
        };
        let tensors = AdapterHubFolder::read(&golden.path).unwrap().tensors;
        let prefixes: Vec<_> = tensors.iter().filter(|(key, _)| key.contains("prefix") && !is_copy(key)).collect();
        assert!(!prefixes.is_empty(), "{}: no tensor of a prefix", golden.name);
        for (key, tensor) in prefixes {
            let missing = changed(&|copy| drop(copy.tensors.remove(key)));
            assert_eq!(missing, format!("missing weights: {key}"));
            let shape =
                changed(&|copy| drop(copy.tensors.insert(key.clone(), tensor.pad_with_zeros(0, 0, 1).unwrap())));
            let mut longer = tensor.dims().to_vec();
            longer[0] += 1;
            assert_eq!(shape, format!("{key}: expected shape {:?}, found {longer:?}", tensor.dims()));
        }
        let layers = changed(&|copy| copy.config = copy.config.replace("\"leave_out\": []", "\"leave_out\": [0]"));
        assert!(layers.contains("leave_out names layers without a prefix"), "{layers}");
    }
}

/// A T5 of random weights whose decoder has `layers` layers, the encoder two; keys are wider than the model.
fn t5(layers: usize) -> T5 {
    let mut config = preset("t5-small").unwrap();
    (config.vocab_size, config.d_model, config.d_ff) = (50, 20, 16);
    (config.num_heads, config.d_kv, config.num_layers, config.num_decoder_layers) = (3, 8, 2, layers);
    T5::new(&config, Weights::random(3).var_builder(DType::F32, &Device::Cpu)).unwrap()
}

/// `method` with its initial weights, which are random except for biases and LoRA's B, plus noise.
fn adapter(t5: &T5, method: Box<dyn PeftConfig>) -> AdapterCheckpoint {
    let adapter = AdapterCheckpoint { methods: vec![method], weights: BTreeMap::new() };
    let plan = adapter.plan(t5.sites()).unwrap();
    let (store, noise) = (ParamStore::new(0, &Device::Cpu), ParamStore::new(1, &Device::Cpu));
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["one"]), store.var_builder()).unwrap();
    generator.generate(&Condition::Task(0)).unwrap();
    let random = |(name, value): (String, Tensor)| {
        let noise = noise.var_builder().get_with_hints(value.dims(), &name, peft_core::normal(0.2)).unwrap();
        (name, (value + noise.detach()).unwrap())
    };
    AdapterCheckpoint { weights: store.tensors().into_iter().map(random).collect(), ..adapter }
}

fn output(t5: &T5, adapter: &AdapterCheckpoint) -> Tensor {
    let (plan, weights) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    let ids = Tensor::new(&[[3u32, 7, 1], [9, 1, 0]], &Device::Cpu).unwrap();
    let mask = ids.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
    let mut ctx = Ctx::eval();
    let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
    t5.decode(&ids, &encoded, &active, &mut ctx).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

fn fields<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn prompts_and_prefixes_go_through_peft_folders_whatever_the_number_of_layers() {
    for layers in [1, 2, 3, 4] {
        let t5 = t5(layers);
        let prefix = |projected: bool| -> PrefixTuningConfig {
            fields(
                serde_json::json!({"num_virtual_tokens": 3, "prefix_projection": projected, "encoder_hidden_size": 5}),
            )
        };
        let methods: [Box<dyn PeftConfig>; 3] =
            [Box::new(PromptTuningConfig::default()), Box::new(prefix(false)), Box::new(prefix(true))];
        for method in methods {
            let name = method.typetag_name();
            let adapter = adapter(&t5, method);
            let folder = tempfile::tempdir().unwrap();
            let base = BaseModel::new(t5.sites());
            write_peft(folder.path(), &adapter, &base).unwrap();
            let again = read_peft(folder.path(), &base).unwrap();
            let gap = gap(&output(&t5, &adapter), &output(&t5, &again));
            assert!(gap < 1e-6, "{name} with {layers} layers: {gap}");
        }
    }
}

#[test]
fn unions_go_through_adapterhub_folders() {
    let t5 = t5(3);
    let prefix: PrefixConfig =
        fields(serde_json::json!({"prefix_length": 2, "flat": true, "use_gating": true, "shared_gating": false}));
    let decoder: PrefixConfig = fields(serde_json::json!({
        "prefix_length": 2, "bottleneck_size": 4, "non_linearity": "relu", "encoder_prefix": false, "cross_prefix": false
    }));
    let mam: MamConfig = fields(serde_json::json!({"prefix_tuning": {"prefix_length": 3, "bottleneck_size": 6}}));
    let unipelt: UniPeltConfig = fields(serde_json::json!({"adapter": {"reduction_factor": 5.0}, "lora": {"r": 2}}));
    let methods: [Box<dyn PeftConfig>; 4] = [Box::new(prefix), Box::new(decoder), Box::new(mam), Box::new(unipelt)];
    for method in methods {
        let name = method.typetag_name();
        let adapter = adapter(&t5, method);
        let folder = tempfile::tempdir().unwrap();
        let tensors = t5.tensors().unwrap();
        let base = BaseModel::new(t5.sites()).tensors(&tensors);
        write_adapterhub(folder.path(), &adapter, &base, &AdapterHubOptions::new("ner")).unwrap();
        let again = read_adapterhub(folder.path(), &base).unwrap();
        assert_eq!(adapter.weights.keys().collect::<Vec<_>>(), again.weights.keys().collect::<Vec<_>>(), "{name}");
        assert!(gap(&output(&t5, &adapter), &output(&t5, &again)) < 1e-6, "{name}");
    }
}

/// The decoder's output for a sentence at once, and token by token.
fn at_once_and_in_steps(t5: &T5, adapter: &AdapterCheckpoint) -> (Tensor, Tensor) {
    let (plan, weights) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
    let (active, mut ctx) = (ActiveAdapters::new(&plan, &weights).unwrap(), Ctx::eval());
    let ids = Tensor::new(&[[3u32, 7, 4, 1], [9, 1, 0, 0]], &Device::Cpu).unwrap();
    let mask = ids.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
    let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
    let whole = t5.decode(&ids, &encoded, &active, &mut ctx).unwrap();
    let mut cache = t5.start_packed(&encoded, &active, CacheSize { rows: 1, capacity: 4 }, &mut ctx).unwrap();
    let targets = ids.to_vec2::<u32>().unwrap();
    let step = |n: usize| {
        let row = |row: usize| PackedTokens { row, tokens: &targets[row][n..n + 1] };
        let step = PackedStep { rows: &[row(0), row(1)], read: &[0, 1] };
        t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap().unsqueeze(1).unwrap()
    };
    (whole, Tensor::cat(&(0..4).map(step).collect::<Vec<_>>(), 1).unwrap())
}

#[test]
fn decoding_in_steps_follows_the_forward_pass_unless_python_does_not() {
    let t5 = t5(2);
    let past = |as_transformers: bool| -> PrefixTuningConfig {
        fields(serde_json::json!({"num_virtual_tokens": 3, "decode_as_transformers": as_transformers}))
    };
    let flat: PrefixConfig = fields(serde_json::json!({"prefix_length": 3, "flat": true}));
    let prompt: PromptTuningConfig = fields(serde_json::json!({"num_virtual_tokens": 3}));
    let methods: [Box<dyn PeftConfig>; 3] = [Box::new(past(false)), Box::new(flat), Box::new(prompt)];
    for method in methods {
        let name = method.typetag_name();
        let (whole, steps) = at_once_and_in_steps(&t5, &adapter(&t5, method));
        assert!(gap(&whole, &steps) < 1e-5, "{name}");
    }
    let (whole, steps) = at_once_and_in_steps(&t5, &adapter(&t5, Box::new(past(true))));
    assert!(gap(&whole, &steps) > 1e-3);
}

#[test]
fn rows_of_one_batch_may_have_different_prefixes() {
    let t5 = t5(2);
    let projected: PrefixTuningConfig =
        fields(serde_json::json!({"num_virtual_tokens": 2, "prefix_projection": true, "encoder_hidden_size": 4}));
    let unipelt: UniPeltConfig = fields(serde_json::json!({"adapter": {"reduction_factor": 5.0}}));
    let methods: [Box<dyn PeftConfig>; 3] =
        [Box::new(PromptTuningConfig::default()), Box::new(projected), Box::new(unipelt)];
    for method in methods {
        let name = method.typetag_name();
        let adapter = adapter(&t5, method);
        let (plan, one) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
        let other = AdapterWeights::new(one.iter().map(|w| w.iter().map(|w| (w * -0.5).unwrap()).collect()).collect());
        let ids = Tensor::new(&[[3u32, 7, 4, 1], [9, 1, 0, 0]], &Device::Cpu).unwrap();
        let run = |weights: &AdapterWeights, ids: &Tensor| {
            let (active, mut ctx) = (ActiveAdapters::new(&plan, weights).unwrap(), Ctx::eval());
            let mask = ids.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
            let encoded = t5.encode(ids, &mask, &active, &mut ctx).unwrap();
            t5.decode(ids, &encoded, &active, &mut ctx).unwrap()
        };
        let row = |n| ids.narrow(0, n, 1).unwrap().contiguous().unwrap();
        let mixed = run(&AdapterWeights::rows(&[one.clone(), other.clone()], &[1, 0]).unwrap(), &ids);
        let apart = Tensor::cat(&[run(&other, &row(0)), run(&one, &row(1))], 0).unwrap();
        assert!(gap(&mixed, &apart) < 1e-5, "{name}");
        assert!(gap(&mixed, &run(&one, &ids)) > 1e-3, "{name}");
    }
}
