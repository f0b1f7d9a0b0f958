//! AdapterHub folders: `adapter_config.json`, and no weights, so that only the description is read.
#![no_main]

use arbitrary::Arbitrary;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::model::{T5_TINY, TENSORS};
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::tensors::File;
use peft_adapter::files::{BaseModel, read_adapterhub};

#[derive(Arbitrary, Debug)]
enum Config<'a> {
    Any(&'a str),
    Keys { architecture: u8, keys: Vec<(u8, Value<'a>)>, union: bool, version: Option<&'a str> },
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Null,
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
    Known(u8),
    Layers(Vec<u8>),
    Table(Vec<(&'a str, f64)>),
}

const KEYS: [&str; 34] = [
    "mh_adapter",
    "output_adapter",
    "reduction_factor",
    "non_linearity",
    "original_ln_before",
    "original_ln_after",
    "ln_before",
    "ln_after",
    "init_weights",
    "is_parallel",
    "scaling",
    "use_gating",
    "residual_before_ln",
    "adapter_residual_before_ln",
    "inv_adapter",
    "cross_adapter",
    "leave_out",
    "dropout",
    "phm_layer",
    "phm_dim",
    "factorized_phm_W",
    "shared_W_phm",
    "shared_phm_rule",
    "prefix_length",
    "flat",
    "bottleneck_size",
    "selfattn_lora",
    "intermediate_lora",
    "output_lora",
    "r",
    "alpha",
    "attn_matrices",
    "composition_mode",
    "encoder_prefix",
];

const ARCHITECTURES: [&str; 6] = ["", "lora", "prefix_tuning", "union", "prompt_tuning", "bottleneck"];

const WORDS: [&str; 10] = ["relu", "gelu_new", "swish", "add", "scale", "learned", "bert", "mam_adapter", "q", "v"];

impl Value<'_> {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Integer(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => (*text).into(),
            Self::Known(index) => WORDS[usize::from(*index) % WORDS.len()].into(),
            Self::Layers(layers) => layers.clone().into(),
            Self::Table(pairs) => {
                pairs.iter().map(|(key, value)| ((*key).to_owned(), serde_json::json!(value))).collect()
            }
        }
    }
}

impl Config<'_> {
    fn text(&self) -> String {
        let (architecture, keys, union, version) = match self {
            Self::Any(text) => return (*text).to_owned(),
            Self::Keys { architecture, keys, union, version } => (architecture, keys, union, version),
        };
        let mut config = serde_json::json!({"mh_adapter": false, "output_adapter": true, "reduction_factor": 4, "non_linearity": "relu"});
        let architecture = ARCHITECTURES[usize::from(*architecture) % ARCHITECTURES.len()];
        if !architecture.is_empty() {
            config["architecture"] = architecture.into();
        }
        for (key, value) in keys {
            config[KEYS[usize::from(*key) % KEYS.len()]] = value.json();
        }
        if *union {
            config =
                serde_json::json!({"architecture": "union", "configs": [config, {"architecture": "lora", "r": 1}]});
        }
        let mut description = serde_json::json!({"config": config, "name": "a", "hidden_size": 8, "model_type": "t5"});
        if let Some(version) = version {
            description["version"] = (*version).into();
        }
        description.to_string()
    }
}

libfuzzer_sys::fuzz_target!(|input: (Config<'_>, Option<File>)| {
    let (config, weights) = input;
    let config = config.text();
    let weights = weights.as_ref().map(File::bytes).unwrap_or_else(|| b"\x02\0\0\0\0\0\0\0{}".to_vec());
    let base = BaseModel::new(T5_TINY.sites()).tensors(&TENSORS);
    let folder = scratch::folder();
    scratch::put(&folder, "adapter_config.json", config.as_bytes());
    scratch::put(&folder, "adapter.safetensors", &weights);
    let _ = bounded(config.len() + weights.len(), || read_adapterhub(folder.path(), &base));
});
