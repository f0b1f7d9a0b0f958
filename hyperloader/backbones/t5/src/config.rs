//! The shape of a T5 model, in and out of Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hf_config::HfConfig;
use crate::{Error, Result};

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

impl T5Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::File`] with the offending key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        serde_json::from_str(&text).map_err(|e| Error::malformed(path, e.to_string()))
    }

    /// The same shape with, or without, a relative position bias in cross-attention.
    pub fn with_cross_attention_bias(mut self, on: bool) -> Self {
        self.cross_attention_bias = on;
        self
    }

    /// The features of all heads together, `num_heads · d_kv`.
    pub fn inner_dim(&self) -> usize {
        self.num_heads * self.d_kv
    }

    /// Refuses values with which no model can be built.
    pub(super) fn validate(self) -> Result<Self, String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_kv),
            ("d_ff", self.d_ff),
            ("num_layers", self.num_layers),
            ("num_decoder_layers", self.num_decoder_layers),
            ("num_heads", self.num_heads),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("{key}: 0, expected at least 1"));
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
            Some((key, id)) => Err(format!("{key}: {id} lies outside the vocabulary of {}", self.vocab_size)),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::preset;
    use proptest::prelude::*;

    fn configs() -> impl Strategy<Value = T5Config> {
        let sizes = (8usize..500, 1usize..300, 1usize..64, 1usize..900, 1usize..9, 1usize..9, 1usize..9);
        let rest = (2usize..40, 0u16..1000, any::<bool>(), any::<bool>(), 0u32..8, 0u32..8, 0u32..8);
        (sizes, rest).prop_map(|((vocab_size, d_model, d_kv, d_ff, enc, dec, heads), rest)| {
            let (half_buckets, dropout, gated, tied, pad, eos, start) = rest;
            T5Config {
                vocab_size,
                d_model,
                d_kv,
                d_ff,
                num_layers: enc,
                num_decoder_layers: dec,
                num_heads: heads,
                relative_attention_num_buckets: 2 * half_buckets,
                relative_attention_max_distance: 128,
                dropout_rate: f64::from(dropout) / 1000.,
                layer_norm_epsilon: 1e-6,
                feed_forward_proj: if gated { FeedForwardProj::GatedGelu } else { FeedForwardProj::Relu },
                tie_word_embeddings: tied,
                pad_token_id: pad,
                eos_token_id: eos,
                decoder_start_token_id: start,
                cross_attention_bias: false,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(config in configs()) {
            let json = serde_json::to_string(&config).unwrap();
            prop_assert_eq!(serde_json::from_str::<T5Config>(&json).unwrap(), config);
        }
    }

    #[test]
    fn the_written_file_says_what_transformers_asks_for() {
        let json = serde_json::to_value(preset("google/flan-t5-small").unwrap()).unwrap();
        assert_eq!(json["architectures"], serde_json::json!(["T5ForConditionalGeneration"]));
        assert_eq!(json["model_type"], "t5");
        assert_eq!(json["feed_forward_proj"], "gated-gelu");
        assert_eq!(json["is_encoder_decoder"], true);
        assert_eq!(json["tie_word_embeddings"], false);
        assert!(json.get("cross_attention_bias").is_none());
    }

    #[test]
    fn values_that_cannot_work_are_refused_by_key() {
        let good = serde_json::to_value(preset("t5-small").unwrap()).unwrap();
        let bad = [
            ("model_type", serde_json::json!("umt5")),
            ("is_encoder_decoder", serde_json::json!(false)),
            ("feed_forward_proj", serde_json::json!("gated-silu")),
            ("num_heads", serde_json::json!(0)),
            ("relative_attention_num_buckets", serde_json::json!(7)),
            ("relative_attention_max_distance", serde_json::json!(16)),
            ("dropout_rate", serde_json::json!(1.0)),
            ("eos_token_id", serde_json::json!(32128)),
        ];
        for (key, value) in bad {
            let mut json = good.clone();
            json[key] = value;
            let error = serde_json::from_value::<T5Config>(json).unwrap_err().to_string();
            assert!(error.starts_with(key), "{key}: {error}");
        }
        let mut json = good;
        json.as_object_mut().unwrap().remove("d_model");
        let error = serde_json::from_value::<T5Config>(json).unwrap_err().to_string();
        assert_eq!(error, "missing field `d_model`");
    }
}
