//! From a source sentence to the tokens of a target sentence, by greedy or beam search, or to one tag for each word, by
//! structured decoding ([`TagDecoder`]).
//!
//! Greedy and beam search follow `transformers` 3.5, whose models HyperLoader's published figures come from: finished sentences and beams
//! are judged by that version's rules, which differ from those of version 4.
//!
//! The sentences of a batch may use different tasks or adapters: weights by row and the choices of
//! [`ActiveAdapters::by_row`](peft_core::ActiveAdapters::by_row) follow the sentences as they leave the batch and as beams multiply
//! them, so that a mixed batch writes what separate batches write.

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
