//! Folders of Python's `peft`: `adapter_config.json`, and weights.
#![no_main]

use arbitrary::Arbitrary;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::model::{T5_TINY, TENSORS};
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::tensors::File;
use peft_adapter::files::{BaseModel, read_peft, write_peft};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    config: Config<'a>,
    weights: Option<File>,
}

#[derive(Arbitrary, Debug)]
enum Config<'a> {
    Any(&'a str),
    Keys(Vec<(u8, Value<'a>)>),
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Null,
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
    Known(u8),
    Names(Vec<u8>),
    Texts(Vec<&'a str>),
    Pattern(Vec<(&'a str, f64)>),
    Ranks(Vec<(&'a str, u32)>),
}

const KEYS: [&str; 32] = [
    "peft_type",
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "use_dora",
    "modules_to_save",
    "init_lora_weights",
    "bias",
    "fan_in_fan_out",
    "feedforward_modules",
    "num_virtual_tokens",
    "token_dim",
    "num_layers",
    "num_attention_heads",
    "num_transformer_submodules",
    "prefix_projection",
    "encoder_hidden_size",
    "task_type",
    "base_model_name_or_path",
    "lora_bias",
    "loftq_config",
    "layer_replication",
    "prompt_tuning_init",
    "inference_mode",
    "megatron_config",
];

const WORDS: [&str; 12] = [
    "LORA",
    "IA3",
    "PROMPT_TUNING",
    "PREFIX_TUNING",
    "q",
    "v",
    "wo",
    "none",
    "all-linear",
    "SEQ_2_SEQ_LM",
    "gaussian",
    ".*\\.(q|v)",
];

impl Value<'_> {
    fn json(&self) -> serde_json::Value {
        let word = |index: &u8| WORDS[usize::from(*index) % WORDS.len()];
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Integer(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => (*text).into(),
            Self::Known(index) => word(index).into(),
            Self::Names(names) => names.iter().map(word).collect(),
            Self::Texts(texts) => texts.iter().map(|text| (*text).to_owned()).collect(),
            Self::Pattern(pairs) => {
                pairs.iter().map(|(key, value)| ((*key).to_owned(), serde_json::json!(value))).collect()
            }
            Self::Ranks(pairs) => {
                pairs.iter().map(|(key, value)| ((*key).to_owned(), serde_json::json!(value))).collect()
            }
        }
    }
}

impl Config<'_> {
    fn text(&self) -> String {
        match self {
            Self::Any(text) => (*text).to_owned(),
            Self::Keys(keys) => {
                let mut config = serde_json::json!({"peft_type": "LORA"});
                for (key, value) in keys {
                    config[KEYS[usize::from(*key) % KEYS.len()]] = value.json();
                }
                config.to_string()
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let config = input.config.text();
    let weights = input.weights.as_ref().map(File::bytes).unwrap_or_else(|| b"\x02\0\0\0\0\0\0\0{}".to_vec());
    let base = BaseModel::new(T5_TINY.sites()).tensors(&TENSORS);
    let folder = scratch::folder();
    scratch::put(&folder, "adapter_config.json", config.as_bytes());
    scratch::put(&folder, "adapter_model.safetensors", &weights);
    if let Ok(adapter) = bounded(config.len() + weights.len(), || read_peft(folder.path(), &base)) {
        let again = folder.path().join("again");
        write_peft(&again, &adapter, &base).expect("what was read can be written");
        let again = read_peft(&again, &base).expect("what was written can be read");
        assert!(again.weights.keys().eq(adapter.weights.keys()));
    }
});
