//! `[eval]`: decoding and scoring.

use std::num::NonZeroUsize;

use datasets::metrics::ScoringMode;
use peft_core::nonzero;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use crate::label::{DecodeOptions, Decoding};

/// How tags are decoded and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// How tags are decoded: `"structured"` (exactly one tag of the task per word) or `"free"` (whatever the model writes).
    /// Default `"structured"`.
    pub decoding: Decoding,
    /// The most sentences that are decoded together. Default 32.
    #[default(nonzero(32))]
    pub batch_size: NonZeroUsize,
    /// With free decoding: the most tokens that are generated, the start token included. Default 128.
    #[default(nonzero(128))]
    pub max_length: NonZeroUsize,
    /// The number of beams; 1 is greedy decoding. Default 1.
    #[default(nonzero(1))]
    pub num_beams: NonZeroUsize,
    /// With free decoding and beams: a hypothesis of `n` tokens scores `log p / n^length_penalty`. Default 1.
    #[default(1.0)]
    pub length_penalty: f64,
    /// How tags are read as spans: `"default"` (as `conlleval` does) or `"strict"` (IOB2). Default `"default"`.
    pub mode: ScoringMode,
}

impl From<&EvalConfig> for DecodeOptions {
    fn from(eval: &EvalConfig) -> Self {
        Self {
            decoding: eval.decoding,
            batch_size: eval.batch_size,
            num_beams: eval.num_beams,
            max_length: eval.max_length,
            length_penalty: eval.length_penalty,
            int8: false,
        }
    }
}
