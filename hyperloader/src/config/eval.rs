//! `[eval]`: decoding and scoring.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::count;

/// How targets are generated and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// How tags are decoded. Default `"structured"`.
    pub decoding: Decoding,
    /// Sentences decoded together. Default 32.
    pub batch_size: NonZeroUsize,
    /// With free decoding: most tokens generated, the start token included. Default 128.
    pub max_length: NonZeroUsize,
    /// Sequences followed at once; 1 is greedy decoding. Default 1.
    pub num_beams: NonZeroUsize,
    /// With beams and free decoding: a hypothesis of `n` tokens scores `log p / n^length_penalty`. Default 1.
    pub length_penalty: f64,
    /// How tags are read as spans. Default `"default"`.
    pub mode: ScoringMode,
}

/// How tags are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// Sentinels are fed and only tags of the task may follow: exactly one tag for each word.
    #[default]
    Structured,
    /// The model writes whatever it likes, as `generate` of `transformers` does; missing tags are `O`, others dropped.
    Free,
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
            decoding: Decoding::default(),
            batch_size: count(32),
            max_length: count(128),
            num_beams: count(1),
            length_penalty: 1.0,
            mode: ScoringMode::default(),
        }
    }
}
