//! `[model]`: the backbone.

use std::path::PathBuf;

use candle_core::DType;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};
use peft_t5::Trainable;

/// The type of the backbone's frozen matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightType {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the exponent of `f32`.
    Bf16,
    /// 8 bits with a scale for each output, for labelling.
    Int8,
}

impl From<WeightType> for DType {
    fn from(dtype: WeightType) -> Self {
        match dtype {
            WeightType::F32 => Self::F32,
            WeightType::Bf16 => Self::BF16,
            WeightType::Int8 => Self::U8,
        }
    }
}

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
    /// The type in which the frozen matrices of the backbone are held: `"f32"`, or `"bf16"` for half the memory and, where
    /// the processor multiplies such numbers, a multiple of the speed. Variables, norms, the optimizer and all sums are `f32`
    /// either way. `"int8"` is for models that label, on the CPU: a quarter of the memory, and a multiple of the speed where the
    /// processor multiplies bytes; linear maps alone are held in it. `--dtype` comes before it. Default `"f32"`.
    pub dtype: WeightType,
    /// The backbone's dropout, in `[0, 1)`. Default: the model's own (T5: 0.1).
    pub dropout_rate: Option<f64>,
}

impl ModelConfig {
    /// Fails if the frozen matrices are to be held in a type that no gradient passes.
    ///
    /// # Errors
    /// [`Error::Config`] saying what to do instead.
    pub(crate) fn check_trains(&self) -> Result<()> {
        match self.dtype {
            WeightType::F32 | WeightType::Bf16 => Ok(()),
            WeightType::Int8 => Err(Error::Config(
                "model.dtype is int8, which is for labelling: train with f32 or bf16, then give --dtype int8 to predict or eval"
                    .into(),
            )),
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "t5-base".to_owned(),
            tokenizer: None,
            trainable: Trainable::Norms,
            cross_attention_bias: false,
            dtype: WeightType::F32,
            dropout_rate: None,
        }
    }
}
