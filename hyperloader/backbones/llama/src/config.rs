//! The shape of a model, in and out of Hugging Face's `config.json`.

use std::path::Path;

use peft_core::{Error, Result};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::hf_config::{LLAMA, MISTRAL, SILU, with_defaults};
use crate::rope::RopeScaling;

/// The shape of a Llama or a Mistral.
///
/// It is read leniently from Hugging Face's `config.json`, where keys without meaning here are ignored and values that this
/// implementation does not have are refused by name, and it is written so that `transformers` can read it.
///
/// ```
/// use peft_llama::LlamaConfig;
///
/// let json = r#"{"model_type": "llama", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2,
///                "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": [1, 3]}"#;
/// let config: LlamaConfig = serde_json::from_str(json)?;
/// assert_eq!((config.head_dim, config.sliding_window, config.eos_token_id), (4, None, vec![1, 3]));
///
/// let error = serde_json::from_str::<LlamaConfig>(&json.replace("llama", "qwen2")).unwrap_err();
/// assert!(error.to_string().starts_with(r#"model_type: "qwen2" is not supported"#), "{error}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct LlamaConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Features of the residual stream.
    pub hidden_size: usize,
    /// Features within the feed-forward sub-layer.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Heads of keys and values, which divide the attention heads into groups that share them.
    pub num_key_value_heads: usize,
    /// Features of one head.
    pub head_dim: usize,
    /// The longest text that the model was made for. It limits nothing here.
    pub max_position_embeddings: usize,
    /// Added to the mean square within every norm.
    pub rms_norm_eps: f64,
    /// The probability with which an attention weight is dropped in training, in `[0, 1)`.
    pub attention_dropout: f64,
    /// The base of the rotary frequencies.
    pub rope_theta: f64,
    /// Rotary frequencies for a longer context.
    pub rope_scaling: Option<RopeScaling>,
    /// How many keys a query sees, itself included: Mistral's window. `None`: all before it. A model with a window is written as
    /// `mistral`, one without as `llama`.
    pub sliding_window: Option<usize>,
    /// Whether the embedding table is the output projection too.
    pub tie_word_embeddings: bool,
    /// The token that starts a text.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a text.
    pub eos_token_id: Vec<u32>,
    /// The token that fills a batch.
    pub pad_token_id: Option<u32>,
}

impl LlamaConfig {
    /// A model of two blocks for tests and examples: 64 words, 16 features, grouped heads, an output projection of its own.
    pub fn small() -> Self {
        Self {
            vocab_size: 64,
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 6,
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            attention_dropout: 0.,
            rope_theta: 10_000.,
            rope_scaling: None,
            sliding_window: None,
            tie_word_embeddings: false,
            bos_token_id: None,
            eos_token_id: vec![1],
            pad_token_id: Some(0),
        }
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::File`] with the path, and the offending key where there is one.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        peft_files::read_json(path.as_ref()).map_err(|error| Error::file(&error.path, peft_files::plain(&error.source)))
    }

    /// Features of all keys together, and of all values: `num_key_value_heads · head_dim`.
    pub fn key_value_dim(&self) -> usize {
        self.num_key_value_heads.saturating_mul(self.head_dim)
    }

    /// The same configuration, if a model can be built with its values. A `config.json` that is read has passed this.
    ///
    /// # Errors
    /// The key with its value and what was expected.
    pub fn validate(self) -> Result<Self, String> {
        let size = |key, size: usize| (key, size as f64, size > 0, "at least 1");
        let (heads, shared, dropout, theta) =
            (self.num_attention_heads, self.num_key_value_heads, self.attention_dropout, self.rope_theta);
        let (low, high, factor) = match self.rope_scaling {
            Some(RopeScaling::Llama3 { low_freq_factor, high_freq_factor, factor, .. }) => {
                (low_freq_factor, high_freq_factor, factor)
            }
            Some(RopeScaling::Default) | None => (0., 1., 1.),
        };
        let values = [
            size("vocab_size", self.vocab_size),
            size("hidden_size", self.hidden_size),
            size("intermediate_size", self.intermediate_size),
            size("num_hidden_layers", self.num_hidden_layers),
            size("num_attention_heads", heads),
            size("num_key_value_heads", shared),
            size("head_dim", self.head_dim),
            size("sliding_window", self.sliding_window.unwrap_or(1)),
            ("num_key_value_heads", shared as f64, heads.is_multiple_of(shared), "a divisor of num_attention_heads"),
            ("head_dim", self.head_dim as f64, self.head_dim.is_multiple_of(2), "an even number, of pairs to rotate"),
            ("attention_dropout", dropout, (0. ..1.).contains(&dropout), "a number in [0, 1)"),
            ("rope_theta", theta, theta.is_finite() && theta > 0., "a number above 0"),
            ("rope_scaling: factor", factor, factor > 0., "a number above 0"),
            ("rope_scaling: high_freq_factor", high, low < high, "more than low_freq_factor"),
        ];
        match values.iter().find(|(_, _, holds, _)| !holds) {
            None => Ok(self),
            Some((key, found, _, expected)) => Err(format!("{key}: {found}, expected {expected}")),
        }
    }
}

impl<'de> Deserialize<'de> for LlamaConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = with_defaults(Deserialize::deserialize(deserializer)?).map_err(D::Error::custom)?;
        Self::deserialize(Value::Object(keys)).map_err(D::Error::custom)?.validate().map_err(D::Error::custom)
    }
}

impl Serialize for LlamaConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            architectures: [&'static str; 1],
            model_type: &'static str,
            hidden_act: &'static str,
            #[serde(flatten, with = "LlamaConfig")]
            config: &'a LlamaConfig,
        }
        let (architecture, model_type) = match self.sliding_window {
            Some(_) => ("MistralForCausalLM", MISTRAL),
            None => ("LlamaForCausalLM", LLAMA),
        };
        Written { architectures: [architecture], model_type, hidden_act: SILU, config: self }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn read(more: Value) -> Result<LlamaConfig, String> {
        let mut config = json!({
            "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let llama3 = RopeScaling::Llama3 {
            factor: 8.,
            low_freq_factor: 1.,
            high_freq_factor: 4.,
            original_max_position_embeddings: 8192,
        };
        for config in [
            LlamaConfig::small(),
            LlamaConfig { sliding_window: Some(7), ..LlamaConfig::small() },
            LlamaConfig { rope_scaling: Some(llama3), tie_word_embeddings: true, ..LlamaConfig::small() },
            LlamaConfig { eos_token_id: vec![], pad_token_id: None, ..LlamaConfig::small() },
        ] {
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<LlamaConfig>(&text).unwrap(), config);
            assert_eq!(text.contains("MistralForCausalLM"), config.sliding_window.is_some());
        }
    }

    #[test]
    fn a_window_is_mistrals_alone_and_its_default_is_that_of_transformers() {
        let window = |more| read(more).unwrap().sliding_window;
        assert_eq!(window(json!({"model_type": "llama", "sliding_window": 7})), None);
        assert_eq!(window(json!({"model_type": "mistral", "sliding_window": 7})), Some(7));
        assert_eq!(window(json!({"model_type": "mistral", "sliding_window": null})), None);
        assert_eq!(window(json!({"model_type": "mistral"})), Some(4096));
    }

    #[test]
    fn rotary_positions_are_read_in_both_forms() {
        let llama3 = json!({
            "rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16, "rope_theta": 500.0
        });
        let old = read(json!({"rope_theta": 500.0, "rope_scaling": llama3})).unwrap();
        let new = read(json!({ "rope_parameters": llama3 })).unwrap();
        assert_eq!((old.rope_theta, old.rope_scaling), (new.rope_theta, new.rope_scaling));
        assert_eq!(new.rope_theta, 500.);
        assert!(matches!(new.rope_scaling, Some(RopeScaling::Llama3 { factor: 2., .. })));
    }

    #[test]
    fn values_that_this_implementation_lacks_are_refused_by_name() {
        for (more, expected) in [
            (json!({"model_type": "gemma"}), "model_type: \"gemma\" is not supported"),
            (json!({"hidden_act": "gelu"}), "hidden_act: \"gelu\""),
            (json!({"attention_bias": true}), "attention_bias: true"),
            (json!({"mlp_bias": true}), "mlp_bias: true"),
            (json!({"rope_scaling": {"type": "yarn", "factor": 2.0}}), "rope_scaling: rope_type: \"yarn\""),
            (json!({"rope_scaling": {"rope_type": "llama3"}}), "missing field `factor`"),
            (json!({"num_key_value_heads": 3}), "num_key_value_heads: 3"),
            (json!({"head_dim": 3}), "head_dim: 3"),
            (json!({"num_attention_heads": 0}), "num_attention_heads: 0"),
            (json!({"attention_dropout": 1.0}), "attention_dropout: 1"),
            (json!({"rope_theta": 0.0}), "rope_theta: 0"),
            (
                json!({"rope_scaling": {
                    "rope_type": "llama3", "factor": 2.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 16
                }}),
                "rope_scaling: high_freq_factor: 4, expected more than low_freq_factor",
            ),
        ] {
            let message = read(more).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
