//! How a labeller decodes.

use std::num::NonZeroUsize;

use peft_core::{nonzero, setters};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

/// How tags are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// Exactly one tag per word, chosen from the task's tags.
    ///
    /// The decoder is given the sentinels, and after each of them only a tag of the task may follow.
    #[default]
    Structured,
    /// Whatever the model writes.
    ///
    /// The model generates freely, as `generate` of `transformers` does. Missing tags become `O`, extra tags are dropped.
    Free,
}

/// How a [`Labeller`](super::Labeller) decodes.
///
/// ```
/// use hyperloader::label::{DecodeOptions, Decoding};
/// let options = DecodeOptions::default().num_beams(4);
/// assert_eq!((options.decoding, options.num_beams.get()), (Decoding::Structured, 4));
/// ```
#[derive(Debug, Clone, PartialEq, SmartDefault)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// How tags are decoded. Default: structured.
    pub decoding: Decoding,
    /// The most sentences that are decoded together. Default 32.
    #[default(nonzero(32))]
    pub batch_size: NonZeroUsize,
    /// The number of beams, and of sequences that are returned; 1 is greedy decoding. Default 1.
    #[default(nonzero(1))]
    pub num_beams: NonZeroUsize,
    /// With free decoding: the most tokens that are generated, the start token included. Default 128.
    #[default(nonzero(128))]
    pub max_length: NonZeroUsize,
    /// Whether linear maps have eight bits, on the CPU: twice as fast and a quarter of the memory; rounding may change a tag whose
    /// probability is close to another's. Default: no.
    pub int8: bool,
    /// With free decoding and beams: a hypothesis of `n` tokens scores `log p / n^length_penalty`. Default 1.
    #[default(1.)]
    pub length_penalty: f64,
}

setters! {
    DecodeOptions {
        decoding => decoding: Decoding,
        batch_size => batch_size: nonzero,
        int8 => int8: bool,
        num_beams => num_beams: nonzero,
        max_length => max_length: nonzero,
        length_penalty => length_penalty: f64,
    }
}
