//! `config.json` as Hugging Face writes it: its keys, its defaults, and what is refused.

use serde::{Deserialize, Serialize};

use super::config::{FeedForwardProj, T5Config};

/// `config.json` as `transformers` writes it; keys that are not here are ignored.
#[derive(Serialize, Deserialize)]
pub(super) struct HfConfig {
    #[serde(default = "architectures")]
    architectures: Vec<String>,
    #[serde(default = "t5")]
    model_type: String,
    #[serde(default = "yes")]
    is_encoder_decoder: bool,
    vocab_size: usize,
    d_model: usize,
    d_kv: usize,
    d_ff: usize,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    num_heads: usize,
    #[serde(default = "buckets")]
    relative_attention_num_buckets: usize,
    #[serde(default = "max_distance")]
    relative_attention_max_distance: usize,
    #[serde(default = "dropout")]
    dropout_rate: f64,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "relu")]
    feed_forward_proj: String,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    pad_token_id: u32,
    #[serde(default = "eos")]
    eos_token_id: u32,
    #[serde(default)]
    decoder_start_token_id: u32,
}

const RELU: &str = "relu";
const GATED_GELU: &str = "gated-gelu";
/// mT5 is T5 1.1 with another vocabulary.
const MODEL_TYPES: [&str; 2] = ["t5", "mt5"];

fn architectures() -> Vec<String> {
    vec!["T5ForConditionalGeneration".to_owned()]
}
fn t5() -> String {
    "t5".to_owned()
}
fn relu() -> String {
    RELU.to_owned()
}
fn yes() -> bool {
    true
}
fn buckets() -> usize {
    32
}
fn max_distance() -> usize {
    128
}
fn dropout() -> f64 {
    0.1
}
fn epsilon() -> f64 {
    1e-6
}
fn eos() -> u32 {
    1
}

impl TryFrom<HfConfig> for T5Config {
    type Error = String;

    fn try_from(hf: HfConfig) -> Result<Self, String> {
        if !MODEL_TYPES.contains(&hf.model_type.as_str()) {
            return Err(format!("model_type: {:?} is not supported, expected one of {MODEL_TYPES:?}", hf.model_type));
        }
        if !hf.is_encoder_decoder {
            return Err("is_encoder_decoder: false is not supported".to_owned());
        }
        let feed_forward_proj = match hf.feed_forward_proj.as_str() {
            RELU => FeedForwardProj::Relu,
            GATED_GELU => FeedForwardProj::GatedGelu,
            other => {
                let known = format!("{RELU:?} or {GATED_GELU:?}");
                return Err(format!("feed_forward_proj: {other:?} is not supported, expected {known}"));
            }
        };
        let config = Self {
            vocab_size: hf.vocab_size,
            d_model: hf.d_model,
            d_kv: hf.d_kv,
            d_ff: hf.d_ff,
            num_layers: hf.num_layers,
            num_decoder_layers: hf.num_decoder_layers.unwrap_or(hf.num_layers),
            num_heads: hf.num_heads,
            relative_attention_num_buckets: hf.relative_attention_num_buckets,
            relative_attention_max_distance: hf.relative_attention_max_distance,
            dropout_rate: hf.dropout_rate,
            layer_norm_epsilon: hf.layer_norm_epsilon,
            feed_forward_proj,
            tie_word_embeddings: hf.tie_word_embeddings,
            pad_token_id: hf.pad_token_id,
            eos_token_id: hf.eos_token_id,
            decoder_start_token_id: hf.decoder_start_token_id,
            cross_attention_bias: false,
        };
        config.validate()
    }
}

impl From<T5Config> for HfConfig {
    fn from(config: T5Config) -> Self {
        let feed_forward_proj = match config.feed_forward_proj {
            FeedForwardProj::Relu => RELU,
            FeedForwardProj::GatedGelu => GATED_GELU,
        };
        Self {
            architectures: architectures(),
            model_type: t5(),
            is_encoder_decoder: true,
            vocab_size: config.vocab_size,
            d_model: config.d_model,
            d_kv: config.d_kv,
            d_ff: config.d_ff,
            num_layers: config.num_layers,
            num_decoder_layers: Some(config.num_decoder_layers),
            num_heads: config.num_heads,
            relative_attention_num_buckets: config.relative_attention_num_buckets,
            relative_attention_max_distance: config.relative_attention_max_distance,
            dropout_rate: config.dropout_rate,
            layer_norm_epsilon: config.layer_norm_epsilon,
            feed_forward_proj: feed_forward_proj.to_owned(),
            tie_word_embeddings: config.tie_word_embeddings,
            pad_token_id: config.pad_token_id,
            eos_token_id: config.eos_token_id,
            decoder_start_token_id: config.decoder_start_token_id,
        }
    }
}
