//! `[model]`: the backbone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::t5::Trainable;

/// Which backbone is adapted, and what of it is trained beside the PEFT weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// A folder with `config.json` and safetensors; or a hub id, with `@revision` if wanted (`google/flan-t5-small`,
    /// `t5-base@main`); or `config:` and a built-in shape or the path of a `config.json` (`config:t5-base`), for
    /// that shape with random weights. Default `"t5-base"`.
    pub name: String,
    /// The tokenizer's folder, or its `tokenizer.json` or `spiece.model`. Default: the one beside the model.
    pub tokenizer: Option<PathBuf>,
    /// What of the backbone is trained beside the PEFT weights: `"none"`, `"norms"` (the weights of every RMS norm, as in the
    /// paper) or `"all"` (full fine-tuning). Default `"norms"`.
    pub trainable: Trainable,
    /// Whether the decoder's cross-attention has a relative position bias, as under the transformers 3.5.1 that the authors
    /// ran; later versions have none. Default `false`; the paper's protocol wants `true`.
    pub cross_attention_bias: bool,
    /// The backbone's dropout, in `[0, 1)`. Default: the model's own (T5: 0.1).
    pub dropout_rate: Option<f64>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "t5-base".to_owned(),
            tokenizer: None,
            trainable: Trainable::Norms,
            cross_attention_bias: false,
            dropout_rate: None,
        }
    }
}
