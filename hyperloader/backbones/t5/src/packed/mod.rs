//! Tokens of several rows without padding: they follow each other in `[1, tokens, d]`, so that linear maps and norms compute
//! nothing for padding. Only attention tells the rows apart.
//!
//! | module | idea |
//! |---|---|
//! | `encoded` | the encoder's output, with or without padding |
//! | `cache` | keys and values of the decoder, with a length for each row |
//! | `read` | the tokens of a step whose output is read |
//! | `terms` | what is added to the scores of a step's tokens |

mod cache;
mod encoded;
mod read;
mod terms;

pub use cache::PackedKvCache;
pub use encoded::Encoded;

pub(crate) use cache::PackedPast;
pub(crate) use read::Read;
pub(crate) use terms::PackedTerms;
