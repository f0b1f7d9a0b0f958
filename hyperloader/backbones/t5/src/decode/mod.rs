//! Generates the tokens of target sentences by greedy or beam search ([`generate`]), or one tag for each word by structured decoding
//! ([`TagDecoder`]).
//!
//! Greedy and beam search follow the rules of `transformers` 3.5, which HyperLoader's published figures come from. Its rules for when a
//! sentence is finished, and for which beams are kept, differ from those of version 4.
//!
//! The sentences of a batch may use different tasks or adapters. Weights by row, and the choices of
//! [`ActiveAdapters::by_row`](peft_core::ActiveAdapters::by_row), follow their sentences when sentences leave the batch and when beams
//! multiply them. So a mixed batch gives the same result as separate batches.

mod batch;
mod beam;
mod config;
mod greedy;
mod hypotheses;
mod source;
mod structured;
mod top;

pub use beam::beam;
pub use config::GenerationConfig;
pub use greedy::greedy;
pub use source::Source;
pub use structured::{TagDecoder, TagSequence};

use crate::error::Result;

/// [`greedy`] where `config` asks for one beam, otherwise [`beam`].
///
/// # Errors
/// As those do.
pub fn generate(source: &Source<'_>, config: &GenerationConfig) -> Result<Vec<Vec<u32>>> {
    match config.num_beams.get() {
        1 => greedy(source, config),
        _ => beam(source, config),
    }
}
