//! `[eval]`: decoding and scoring.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::count;

/// How targets are generated and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Sentences decoded together. Default 32.
    pub batch_size: NonZeroUsize,
    /// Most tokens generated, the start token included. Default 128.
    pub max_length: NonZeroUsize,
    /// Beams; 1 is greedy decoding. Default 1.
    pub num_beams: NonZeroUsize,
    /// With beams: a hypothesis of `n` tokens scores `log p / n^length_penalty`. Default 1.
    pub length_penalty: f64,
    /// How tags are read as spans. Default `"default"`.
    pub mode: ScoringMode,
}

/// How tags are read as spans, in the words of seqeval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoringMode {
    /// As `conlleval` does: an `I-X` that follows nothing of type `X` begins a span.
    #[default]
    Default,
    /// Only `B-X I-X*` is a span.
    Strict,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            batch_size: count(32),
            max_length: count(128),
            num_beams: count(1),
            length_penalty: 1.0,
            mode: ScoringMode::default(),
        }
    }
}
