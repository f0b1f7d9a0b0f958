//! `[pretrain.shape]`: the sizes of a T5 that is pretrained from random weights.

use std::num::NonZeroUsize;

use peft_core::nonzero;
use peft_t5::FeedForwardProj;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

/// The sizes of a T5, under the names of Hugging Face's `config.json`. The defaults are t5-small's.
///
/// [`T5Config`](peft_t5::T5Config) reads a whole `config.json` and ignores unknown keys. This table can leave keys out, and an
/// unknown key is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct T5Shape {
    /// Rows of the embedding. Default: as many as the tokenizer has tokens.
    pub vocab_size: Option<NonZeroUsize>,
    /// Features of the hidden states. Default 512.
    #[default(nonzero(512))]
    pub d_model: NonZeroUsize,
    /// Features of one attention head. Default 64.
    #[default(nonzero(64))]
    pub d_kv: NonZeroUsize,
    /// Features inside the feed-forward layers. Default 2048.
    #[default(nonzero(2048))]
    pub d_ff: NonZeroUsize,
    /// Encoder layers. Default 6.
    #[default(nonzero(6))]
    pub num_layers: NonZeroUsize,
    /// Decoder layers. Default: as many as the encoder has.
    pub num_decoder_layers: Option<NonZeroUsize>,
    /// Attention heads. Default 8.
    #[default(nonzero(8))]
    pub num_heads: NonZeroUsize,
    /// The feed-forward layers: `"relu"` (T5 v1.0) or `"gated-gelu"` (T5 v1.1 and Flan). Default `"relu"`.
    pub feed_forward_proj: FeedForwardProj,
    /// Whether the output projection is the embedding (v1.0) or a separate matrix (v1.1). Default `true`.
    #[default(true)]
    pub tie_word_embeddings: bool,
    /// Dropout, in `[0, 1)`. Default 0.1.
    #[default(0.1)]
    pub dropout_rate: f64,
}
