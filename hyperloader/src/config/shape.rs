//! `[pretrain.shape]`: the sizes of a T5 of one's own.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use peft_core::nonzero;

/// The sizes of a T5, under the names of Hugging Face's `config.json`. The defaults are t5-small's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct T5Shape {
    /// Rows of the embedding. Default: as many as the tokenizer has tokens.
    pub vocab_size: Option<NonZeroUsize>,
    /// Features of the hidden states. Default 512.
    pub d_model: NonZeroUsize,
    /// Features of one attention head. Default 64.
    pub d_kv: NonZeroUsize,
    /// Features inside the feed-forward layers. Default 2048.
    pub d_ff: NonZeroUsize,
    /// Encoder layers. Default 6.
    pub num_layers: NonZeroUsize,
    /// Decoder layers. Default: as many as the encoder has.
    pub num_decoder_layers: Option<NonZeroUsize>,
    /// Attention heads. Default 8.
    pub num_heads: NonZeroUsize,
    /// The feed-forward layers. Default `"relu"`.
    pub feed_forward_proj: FeedForward,
    /// Whether the output projection is the embedding (v1.0) or a matrix of its own (v1.1). Default `true`.
    pub tie_word_embeddings: bool,
    /// Dropout, in `[0, 1)`. Default 0.1.
    pub dropout_rate: f64,
}

/// The feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedForward {
    /// `W_o relu(W_i x)`: T5 v1.0.
    #[default]
    Relu,
    /// `W_o (gelu(W_0 x) ⊙ W_1 x)`: T5 v1.1 and Flan.
    GatedGelu,
}

impl Default for T5Shape {
    fn default() -> Self {
        Self {
            vocab_size: None,
            d_model: nonzero(512),
            d_kv: nonzero(64),
            d_ff: nonzero(2048),
            num_layers: nonzero(6),
            num_decoder_layers: None,
            num_heads: nonzero(8),
            feed_forward_proj: FeedForward::default(),
            tie_word_embeddings: true,
            dropout_rate: 0.1,
        }
    }
}
