//! Adapter folders of AdapterHub: bottleneck adapters of every shape, LoRA, IA3 and unions of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use peft_adapter::files::{AdapterHubFolder, AdapterHubOptions, BaseModel, read_adapterhub, write_adapterhub};
use peft_adapter::{BottleneckConfig, CompacterConfig};
use peft_core::{
    ActiveAdapters, AdapterCheckpoint, AdapterWeights, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig,
    StaticConfig, Tasks,
};
use peft_lora::{Ia3Config, LoraConfig};
use peft_t5::{T5, Weights, preset};
use peft_tests::compat::{CompatGolden, compat_goldens};
use serde_json::Value;

/// Whether a configuration is one of those that this file is about.
fn is_ours(config: &Value) -> bool {
    match config.get("architecture").and_then(Value::as_str) {
        None => config.is_object(),
        Some("lora") => true,
        Some("union") => config["configs"].as_array().unwrap().iter().all(is_ours),
        Some(_) => false,
    }
}

fn goldens() -> Vec<CompatGolden> {
    compat_goldens(6, |config| is_ours(&config["config"]))
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn same_bits(ours: &BTreeMap<String, Tensor>, theirs: &BTreeMap<String, Tensor>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, tensor) in ours {
        assert_eq!(bits(tensor), bits(&theirs[name]), "{name}");
    }
}

#[test]
fn every_folder_computes_what_adapterhub_does_apart_and_folded() {
    for golden in goldens() {
        let t5 = &golden.t5;
        let adapter = read_adapterhub(&golden.path, &BaseModel::new(t5.sites()).tensors(&golden.base())).unwrap();
        let (plan, weights) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        golden.check(t5, &active);
        golden.check(&t5.merge(&active).unwrap(), &active);
    }
}

#[test]
fn what_is_written_is_what_was_read() {
    for golden in goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors);
        let adapter = read_adapterhub(&golden.path, &base).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = AdapterHubOptions::new(golden.config["name"].as_str().unwrap());
        write_adapterhub(folder.path(), &adapter, &base, &options).unwrap();

        let (theirs, ours) =
            (AdapterHubFolder::read(&golden.path).unwrap(), AdapterHubFolder::read(folder.path()).unwrap());
        for (name, tensor) in &theirs.tensors {
            assert_eq!(bits(tensor), bits(&ours.tensors[name]), "{}: {name}", golden.name);
        }
        let config: Value = ours.parse().unwrap();
        assert_same(&golden.config, &config, &golden.name);

        let again = read_adapterhub(folder.path(), &base).unwrap();
        same_bits(&again.weights, &adapter.weights);
        let (plan, weights) = again.build(sites, &Device::Cpu).unwrap();
        golden.check(&golden.t5, &ActiveAdapters::new(&plan, &weights).unwrap());
    }
}

/// The same JSON, where 4 is 4.0.
fn assert_same(theirs: &Value, ours: &Value, at: &str) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{at}");
            theirs.iter().for_each(|(key, value)| assert_same(value, &ours[key], &format!("{at}.{key}")));
        }
        (Value::Number(theirs), Value::Number(ours)) => assert_eq!(theirs.as_f64(), ours.as_f64(), "{at}"),
        _ => assert_eq!(theirs, ours, "{at}"),
    }
}

#[test]
fn a_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    for golden in goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors);
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut AdapterHubFolder)| {
            let mut copy = AdapterHubFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            change(&mut copy);
            copy.write().unwrap();
            read_adapterhub(folder.path(), &base).unwrap_err().to_string()
        };
        let tensors = AdapterHubFolder::read(&golden.path).unwrap().tensors;
        let (key, tensor) =
            tensors.iter().find(|(key, _)| key.contains("lora_B") || key.contains("up.weight")).unwrap();

        let missing = changed(&|copy| drop(copy.tensors.remove(key)));
        assert!(missing.contains("missing") && missing.contains(key), "{missing}");
        let unknown = changed(&|copy| drop(copy.tensors.insert(format!("{key}.more"), tensor.clone())));
        assert!(unknown.contains("unknown") && unknown.contains(&format!("{key}.more")), "{unknown}");
        let shape = changed(&|copy| {
            copy.tensors.insert(key.clone(), tensor.pad_with_zeros(0, 0, 1).unwrap());
        });
        let [rows, columns] = tensor.dims() else { panic!("{key} is no matrix") };
        let both = format!("{key}: expected shape [{rows}, {columns}], found [{}, {columns}]", rows + 1);
        assert_eq!(shape, both);
        let model = changed(&|copy| copy.config = copy.config.replace("\"hidden_size\": 32", "\"hidden_size\": 768"));
        assert!(model.contains("hidden_size is 768, but this backbone's is 32"), "{model}");
    }
}

/// A T5 of random weights.
fn t5() -> T5 {
    let mut config = preset("t5-small").unwrap();
    (config.vocab_size, config.d_model, config.d_ff) = (50, 24, 20);
    (config.num_heads, config.d_kv, config.num_layers, config.num_decoder_layers) = (3, 8, 2, 3);
    T5::new(&config, Weights::random(3).var_builder(DType::F32, &Device::Cpu)).unwrap()
}

/// `methods` with random weights.
fn adapter(t5: &T5, methods: Vec<Box<dyn PeftConfig>>) -> AdapterCheckpoint {
    let adapter = AdapterCheckpoint { methods, weights: BTreeMap::new() };
    let plan = adapter.plan(t5.sites()).unwrap();
    let store = ParamStore::new(0, &Device::Cpu);
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["one"]), store.var_builder()).unwrap();
    generator.generate(&Condition::Task(0)).unwrap();
    let noise = ParamStore::new(1, &Device::Cpu);
    let random = |(name, value): (String, Tensor)| {
        let vb = noise.var_builder();
        let noise = vb.get_with_hints(value.dims(), &name, peft_core::normal(0.2)).unwrap();
        (name, (value + noise.detach()).unwrap())
    };
    AdapterCheckpoint { weights: store.tensors().into_iter().map(random).collect(), ..adapter }
}

fn output(t5: &T5, adapter: &AdapterCheckpoint) -> Tensor {
    let (plan, weights): (_, AdapterWeights) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
    let active = ActiveAdapters::new(&plan, &weights).unwrap();
    let ids = Tensor::new(&[[3u32, 7, 1], [9, 1, 0]], &Device::Cpu).unwrap();
    let mask = ids.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
    let mut ctx = Ctx::eval();
    let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
    t5.decode(&ids, &encoded, &active, &mut ctx).unwrap()
}

#[test]
fn methods_go_through_files_and_compute_the_same() {
    let t5 = t5();
    let boxed = |config| Box::new(config) as Box<dyn PeftConfig>;
    let narrow = |config| BottleneckConfig { reduction_factor: 5., use_gating: true, ..config };
    let lora = |r: usize| LoraConfig { r: r.try_into().unwrap(), lora_alpha: 6., ..LoraConfig::default() };
    let dora = LoraConfig { use_dora: true, lora_alpha: 4., ..lora(4) };
    let outputs = Ia3Config {
        target_modules: serde_json::from_value(serde_json::json!(["k", "v", "wi"])).unwrap(),
        feedforward_modules: serde_json::from_value(serde_json::json!([])).unwrap(),
        ..Ia3Config::default()
    };
    let compacter = CompacterConfig { reduction_factor: 2., ln_before: true, ..CompacterConfig::default() };
    let cases: Vec<(&str, Vec<Box<dyn PeftConfig>>)> = vec![
        // One task of a HyperLoader.
        (
            "hyperloader",
            vec![Box::new(lora(4)), boxed(BottleneckConfig { reduction_factor: 7., ..Default::default() })],
        ),
        ("sequential", vec![boxed(narrow(BottleneckConfig::seq_bn()))]),
        ("parallel, IA3", vec![boxed(narrow(BottleneckConfig::par_bn())), Box::new(outputs)]),
        ("rsLoRA", vec![Box::new(LoraConfig { use_rslora: true, ..lora(4) })]),
        ("DoRA", vec![Box::new(dora)]),
        ("Compacter", vec![Box::new(compacter)]),
    ];
    for (name, methods) in cases {
        let adapter = adapter(&t5, methods);
        let folder = tempfile::tempdir().unwrap();
        let tensors = t5.tensors().unwrap();
        let base = BaseModel::new(t5.sites()).tensors(&tensors);
        write_adapterhub(folder.path(), &adapter, &base, &AdapterHubOptions::new("ner")).unwrap();
        let again = read_adapterhub(folder.path(), &base).unwrap();
        assert_eq!(adapter.weights.keys().collect::<Vec<_>>(), again.weights.keys().collect::<Vec<_>>(), "{name}");
        let gap = (output(&t5, &adapter) - output(&t5, &again)).unwrap();
        let gap = gap.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        // Increments are added to what they were taken from: the last bit may differ.
        assert!(gap < 1e-6, "{name}: {gap}");
    }
}
