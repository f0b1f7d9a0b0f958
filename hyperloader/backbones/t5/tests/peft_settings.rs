//! Folders of Python's `peft` on a T5: settings that change nothing are accepted, all others are refused by name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use peft_adapter::files::{read_peft, write_peft};
use peft_core::{AdapterCheckpoint, PeftModel};
use peft_lora::LoraConfig;
use peft_lora::files::BaseModel;
use peft_t5::{T5, T5Config};
use serde_json::{Value, json};

/// A tiny T5 whose output projection is its embedding table, and the weights of LoRA on its q and v.
struct Bench {
    t5: T5,
    own: BTreeMap<String, Tensor>,
    plain: BTreeMap<String, Tensor>,
}

impl Bench {
    fn new() -> Self {
        let shape = r#"{"vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2}"#;
        let t5 = || T5::random(&serde_json::from_str::<T5Config>(shape).unwrap(), 3).unwrap();
        let model = PeftModel::builder(t5()).method(LoraConfig::new(2)).build().unwrap();
        let plain = model.store().tensors();
        Self { own: t5().parameters().unwrap(), t5: t5(), plain }
    }

    fn base(&self) -> BaseModel<'_> {
        BaseModel::new(self.t5.sites()).tensors(&self.own)
    }

    /// Reads the folder after `settings` were put into its configuration and `more` into its weights.
    fn read(&self, settings: Value, more: &[(&str, Tensor)]) -> Result<AdapterCheckpoint, String> {
        let folder = tempfile::tempdir().unwrap();
        let lora = AdapterCheckpoint { methods: vec![Box::new(LoraConfig::new(2))], weights: self.plain.clone() };
        write_peft(folder.path(), &lora, &self.base()).unwrap();
        // Python writes no manifest.
        std::fs::remove_file(folder.path().join(peft_files::MANIFEST)).unwrap();
        let path = folder.path().join("adapter_config.json");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        // Some editors begin a file with a byte order mark.
        std::fs::write(&path, format!("\u{feff}{config}")).unwrap();
        let weights = folder.path().join("adapter_model.safetensors");
        let mut tensors = peft_files::load_tensors(&weights).unwrap();
        tensors.extend(more.iter().map(|(name, tensor)| (format!("base_model.model.{name}"), tensor.clone())));
        peft_files::save_tensors(&weights, &tensors, None).unwrap();
        read_peft(folder.path(), &self.base()).map_err(|error| error.to_string())
    }

    fn refused(&self, settings: Value, more: &[(&str, Tensor)]) -> String {
        self.read(settings, more).err().unwrap_or_else(|| panic!("this folder is not supported"))
    }
}

fn values(weights: &BTreeMap<String, Tensor>) -> BTreeMap<&str, Vec<f32>> {
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    weights.iter().map(|(name, tensor)| (name.as_str(), flat(tensor))).collect()
}

fn ones(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn settings_that_change_nothing_are_accepted() {
    let bench = Bench::new();
    for settings in [
        json!({"bias": "all"}),
        json!({"bias": "lora_only"}),
        json!({"init_lora_weights": "eva", "eva_config": {"rho": 2.0, "tau": 0.99, "whiten": false}}),
        json!({"init_lora_weights": "mica"}),
        json!({"init_lora_weights": "orthogonal"}),
        json!({"init_lora_weights": "lora_ga", "lora_ga_config": {"direction": "ArB2r"}}),
        json!({"corda_config": {"corda_method": "kpm"}, "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}}),
        json!({"velora_config": {"num_groups": 4}, "fan_in_fan_out": true, "qalora_group_size": 16}),
        json!({"megatron_config": {"hidden_size": 8}, "megatron_core": "megatron.core", "layer_replication": null}),
        json!({"rank_pattern": null, "alpha_pattern": {}, "layers_pattern": null, "exclude_modules": null}),
        json!({"trainable_token_indices": null, "target_parameters": [], "use_bdlora": null, "arrow_config": null}),
        json!({"modules_to_save": ["classifier"], "ensure_weight_tying": true, "runtime_config": {}}),
        json!({"peft_version": "0.99.0", "task_type": null, "auto_mapping": {"base_model_class": "T5Model"}}),
        json!({"target_modules": "^(?!.*wo).*\\.(q|v)$"}),
    ] {
        let read = bench.read(settings.clone(), &[]).unwrap_or_else(|error| panic!("{settings}: {error}"));
        assert_eq!(values(&read.weights), values(&bench.plain), "{settings}");
    }
}

#[test]
fn settings_that_change_something_are_refused_by_name() {
    let bench = Bench::new();
    for (key, value) in [
        ("layer_replication", json!([[0, 1], [0, 1]])),
        ("trainable_token_indices", json!({"shared": [1, 2]})),
        ("target_parameters", json!(["experts.up"])),
        ("alora_invocation_tokens", json!([3])),
        ("arrow_config", json!({"top_k": 3})),
        ("kasa_config", json!({"beta": 0.0001})),
        ("monteclora_config", json!({"num_samples": 8})),
        ("use_bdlora", json!({"nblocks": 2})),
        ("use_qalora", json!(true)),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("init_lora_weights", json!("OLoRA")),
    ] {
        let message = bench.refused(json!({ key: value }), &[]);
        assert!(message.contains("adapter_config.json: ") && message.contains(key), "{message}");
    }
    let wrong = bench.refused(json!({"target_modules": "(q"}), &[]);
    assert!(wrong.contains("adapter_config.json") && wrong.contains("\"(q\" is no regular expression"), "{wrong}");
}

#[test]
fn an_unknown_method_is_told_all_known_ones() {
    let message = Bench::new().refused(json!({"peft_type": "VERA"}), &[]);
    assert!(message.ends_with("known: LORA, IA3, PROMPT_TUNING, PREFIX_TUNING, LN_TUNING"), "{message}");
}

#[test]
fn copies_of_the_backbones_embedding_table_change_nothing() {
    let bench = Bench::new();
    let table = bench.own["shared.weight"].clone();
    let copies = [("shared.weight", table.clone()), ("lm_head.weight", table.clone())];
    assert_eq!(values(&bench.read(json!({}), &copies).unwrap().weights), values(&bench.plain));
    let message = bench.refused(json!({}), &[("shared.weight", (table + 1.).unwrap())]);
    assert!(message.contains("an embedding table, shared.weight, that is not the backbone's"), "{message}");
}

#[test]
fn modules_that_cannot_be_saved_are_named() {
    let bench = Bench::new();
    let table = bench.own["shared.weight"].clone();
    for (module, name) in [
        ("shared", "shared.weight"),
        ("lm_head", "lm_head.weight"),
        ("SelfAttention", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    ] {
        let message = bench.refused(json!({"modules_to_save": [module]}), &[(name, table.clone())]);
        let expected = format!("modules_to_save = [{module:?}] is not supported: it saves {name}");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn biases_and_other_unknown_weights_are_refused() {
    let bench = Bench::new();
    let name = "encoder.block.0.layer.0.SelfAttention.q.bias";
    let message = bench.refused(json!({"bias": "all"}), &[(name, ones(&[8]))]);
    assert!(message.contains("bias is \"all\"") && message.contains(name), "{message}");
    let message = bench.refused(json!({}), &[(name, ones(&[8]))]);
    assert!(message.starts_with("unknown weights: ") && message.contains(name), "{message}");
}
