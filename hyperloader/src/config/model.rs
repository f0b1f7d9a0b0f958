//! `[model]`: the backbone.

use std::path::PathBuf;

use peft_t5::Trainable;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::optional;
use crate::model::Precision;
use crate::{Error, Result};

/// The backbone, and which of its weights are trained in addition to the PEFT weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// A folder with `config.json` and safetensors; or a hub id, with `@revision` if wanted (`google/flan-t5-small`,
    /// `t5-base@main`); or `config:` and a built-in shape or the path of a `config.json` (`config:t5-base`), for
    /// that shape with random weights. Default `"t5-base"`.
    #[default("t5-base")]
    pub name: String,
    /// The tokenizer's folder, or its `tokenizer.json` or `spiece.model`. Default: the tokenizer in the model's folder.
    #[serde(deserialize_with = "optional::path")]
    pub tokenizer: Option<PathBuf>,
    /// Which weights of the backbone are trained in addition to the PEFT weights: `"none"`, `"norms"` (the weights of every RMS
    /// norm, as in the paper) or `"all"` (full fine-tuning). Default `"norms"`.
    #[default(Trainable::Norms)]
    pub trainable: Trainable,
    /// Whether the decoder's cross-attention has a relative position bias. It has one in transformers 3.5.1, which the authors
    /// ran, and none in later versions. Default `false`; the paper's protocol needs `true`.
    pub cross_attention_bias: bool,
    /// The type of the backbone's frozen matrices: `"f32"`, `"bf16"` or `"int8"`. `--dtype` overrides it. Default `"f32"`.
    ///
    /// `"bf16"` halves the memory, and is several times as fast if the processor has instructions for it. Variables, norms, the
    /// optimizer and all sums stay `f32`. `"int8"` is for labelling on the CPU only: it holds linear maps in a quarter of the
    /// memory, and is several times as fast if the processor has instructions for it.
    #[default(Precision::F32)]
    pub dtype: Precision,
    /// The backbone's dropout, in `[0, 1)`. Default: the model's own (T5: 0.1).
    pub dropout_rate: Option<f64>,
}

impl ModelConfig {
    /// Fails if the frozen matrices have a type that gradients cannot pass through.
    ///
    /// # Errors
    /// [`Error::Config`] saying what to do instead.
    pub(crate) fn check_trains(&self) -> Result<()> {
        match self.dtype {
            Precision::F32 | Precision::Bf16 => Ok(()),
            Precision::Int8 => Err(Error::Config(
                "model.dtype is int8, which is for labelling: train with f32 or bf16, then give --dtype int8 to predict or eval"
                    .into(),
            )),
        }
    }
}
