//! How target sentences are searched for.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// How target sentences are searched for. Keys have the names and meanings of `transformers`.
///
/// ```
/// use peft_t5::decode::GenerationConfig;
///
/// let config: GenerationConfig = serde_json::from_str(r#"{"num_beams": 4}"#)?;
/// assert_eq!((config.num_beams.get(), config.max_length.get()), (4, 128));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerationConfig {
    /// The most tokens of a target sentence, start token included. Default: 128.
    pub max_length: NonZeroUsize,
    /// How many hypotheses are followed at once; 1 is greedy search. Default: 1.
    pub num_beams: NonZeroUsize,
    /// Beam search divides the sum of log-probabilities by the length to this power. Default: 1.
    pub length_penalty: f64,
    /// Whether a sentence is done as soon as `num_beams` hypotheses are, even if a better one may come. Default: no.
    pub early_stopping: bool,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            max_length: NonZeroUsize::MIN.saturating_add(127),
            num_beams: NonZeroUsize::MIN,
            length_penalty: 1.,
            early_stopping: false,
        }
    }
}
