//! The shape of a T5 model, in and out of Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hf_config::{self, GATED_GELU, HfConfig, MODEL_TYPES, RELU};
use crate::error::Result;

/// The largest vocabulary. A shape is data, and one that is a slip of the finger must not exhaust memory.
const MOST_TOKENS: usize = 10_000_000;
/// The largest number of layers of a stack.
const MOST_LAYERS: usize = 10_000;
/// The largest width, number of heads or number of buckets.
const MOST_FEATURES: usize = 1_000_000;

/// The feed-forward sub-layer: `feed_forward_proj` in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedForwardProj {
    /// `relu`: `wo relu(wi x)`, version 1.0.
    #[default]
    Relu,
    /// `gated-gelu`: `wo (gelu_tanh(wi_0 x) ⊙ wi_1 x)`, version 1.1.
    GatedGelu,
}

/// The shape of a T5 model.
///
/// It is read leniently from Hugging Face's `config.json`, where keys without meaning here are ignored and values
/// that this implementation does not have are refused by name, and it is written so that `transformers` can read it.
///
/// ```
/// use peft_t5::T5Config;
///
/// let json = r#"{"vocab_size": 100, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}"#;
/// let config: T5Config = serde_json::from_str(json)?;
/// assert_eq!((config.num_decoder_layers, config.inner_dim()), (2, 16));
///
/// let refused = json.replace("}", r#", "feed_forward_proj": "gated-silu"}"#);
/// let error = serde_json::from_str::<T5Config>(&refused).unwrap_err();
/// assert!(error.to_string().starts_with(r#"feed_forward_proj: "gated-silu" is not supported"#), "{error}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HfConfig", into = "HfConfig")]
pub struct T5Config {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Features of the residual stream.
    pub d_model: usize,
    /// Features of one attention head.
    pub d_kv: usize,
    /// Features within the feed-forward sub-layer.
    pub d_ff: usize,
    /// Blocks of the encoder.
    pub num_layers: usize,
    /// Blocks of the decoder.
    pub num_decoder_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Rows of the relative position bias table.
    pub relative_attention_num_buckets: usize,
    /// From this distance on, all positions share the last bucket.
    pub relative_attention_max_distance: usize,
    /// The probability of dropout in training, in `[0, 1)`.
    pub dropout_rate: f64,
    /// Added to the mean square within every norm.
    pub layer_norm_epsilon: f64,
    /// The feed-forward sub-layer.
    pub feed_forward_proj: FeedForwardProj,
    /// Whether the embedding table is the output projection too; the decoder's output is then scaled by `1/√d_model`.
    pub tie_word_embeddings: bool,
    /// The token that fills a batch.
    pub pad_token_id: u32,
    /// The token that ends a sentence.
    pub eos_token_id: u32,
    /// The token that the decoder starts from.
    pub decoder_start_token_id: u32,
    /// Whether cross-attention has a relative position bias of its own, as in `transformers` before version 4
    /// (removed by Hugging Face PR 8518). Not a key of `config.json`: see
    /// [`with_cross_attention_bias`](Self::with_cross_attention_bias).
    pub cross_attention_bias: bool,
}

impl Default for T5Config {
    /// The shape of `t5-small`.
    fn default() -> Self {
        Self {
            vocab_size: 32128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2048,
            num_layers: 6,
            num_decoder_layers: 6,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            dropout_rate: 0.1,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: FeedForwardProj::Relu,
            tie_word_embeddings: true,
            pad_token_id: 0,
            eos_token_id: 1,
            decoder_start_token_id: 0,
            cross_attention_bias: false,
        }
    }
}

impl T5Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) with the path, and the offending key where there is one.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(peft_files::read_json(path)?)
    }

    /// The same shape with, or without, a relative position bias in cross-attention.
    #[must_use]
    pub fn with_cross_attention_bias(mut self, on: bool) -> Self {
        self.cross_attention_bias = on;
        self
    }

    /// The features of all heads together, `num_heads · d_kv`.
    pub fn inner_dim(&self) -> usize {
        self.num_heads * self.d_kv
    }

    /// The same configuration, if a model can be built with its values. A `config.json` that is read has passed this.
    ///
    /// # Errors
    /// The key with its value and what was expected.
    pub fn validate(self) -> Result<Self, String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_kv),
            ("d_ff", self.d_ff),
            ("num_layers", self.num_layers),
            ("num_decoder_layers", self.num_decoder_layers),
            ("num_heads", self.num_heads),
            ("relative_attention_num_buckets", self.relative_attention_num_buckets),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("{key}: 0, expected at least 1"));
        }
        let largest = |key: &str| match key {
            "vocab_size" => MOST_TOKENS,
            "num_layers" | "num_decoder_layers" => MOST_LAYERS,
            _ => MOST_FEATURES,
        };
        if let Some((key, size)) = sizes.iter().find(|(key, size)| *size > largest(key)) {
            return Err(format!("{key}: {size}, expected {} at most", largest(key)));
        }
        let buckets = self.relative_attention_num_buckets;
        if buckets < 4 || buckets % 2 == 1 {
            return Err(format!("relative_attention_num_buckets: {buckets}, expected an even number from 4"));
        }
        // The decoder's exact buckets cover the distances 0..buckets/2; the logarithmic ones must reach beyond.
        let distance = self.relative_attention_max_distance;
        if distance <= buckets / 2 {
            return Err(format!("relative_attention_max_distance: {distance}, expected more than {}", buckets / 2));
        }
        if !(0. ..1.).contains(&self.dropout_rate) {
            return Err(format!("dropout_rate: {}, expected a number in [0, 1)", self.dropout_rate));
        }
        let tokens = [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.decoder_start_token_id),
        ];
        match tokens.iter().find(|(_, id)| *id as usize >= self.vocab_size) {
            Some((key, id)) => Err(format!("{key}: {id} is outside the vocabulary of {}", self.vocab_size)),
            None => Ok(self),
        }
    }
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
            architectures: hf_config::architectures(),
            model_type: hf_config::t5(),
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

#[cfg(test)]
mod tests;
