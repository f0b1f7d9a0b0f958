//! `config.json` as Hugging Face writes it: its keys and its defaults.

use serde::{Deserialize, Serialize};

/// `config.json` as `transformers` writes it; keys that are not here are ignored.
#[derive(Serialize, Deserialize)]
pub(super) struct HfConfig {
    #[serde(default = "architectures")]
    pub(super) architectures: Vec<String>,
    #[serde(default = "t5")]
    pub(super) model_type: String,
    #[serde(default = "yes")]
    pub(super) is_encoder_decoder: bool,
    pub(super) vocab_size: usize,
    pub(super) d_model: usize,
    pub(super) d_kv: usize,
    pub(super) d_ff: usize,
    pub(super) num_layers: usize,
    pub(super) num_decoder_layers: Option<usize>,
    pub(super) num_heads: usize,
    #[serde(default = "buckets")]
    pub(super) relative_attention_num_buckets: usize,
    #[serde(default = "max_distance")]
    pub(super) relative_attention_max_distance: usize,
    #[serde(default = "dropout")]
    pub(super) dropout_rate: f64,
    #[serde(default = "epsilon")]
    pub(super) layer_norm_epsilon: f64,
    #[serde(default = "relu")]
    pub(super) feed_forward_proj: String,
    #[serde(default = "yes")]
    pub(super) tie_word_embeddings: bool,
    #[serde(default)]
    pub(super) pad_token_id: u32,
    #[serde(default = "eos")]
    pub(super) eos_token_id: u32,
    #[serde(default)]
    pub(super) decoder_start_token_id: u32,
}

pub(super) const RELU: &str = "relu";
pub(super) const GATED_GELU: &str = "gated-gelu";
/// mT5 is T5 1.1 with another vocabulary.
pub(super) const MODEL_TYPES: [&str; 2] = ["t5", "mt5"];

pub(super) fn architectures() -> Vec<String> {
    vec!["T5ForConditionalGeneration".to_owned()]
}
pub(super) fn t5() -> String {
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
