//! Tokens of several rows without padding: they follow each other in `[1, tokens, d]`, so that linear maps and norms compute
//! nothing for padding. Only attention tells the rows apart.
//!
//! | module | idea |
//! |---|---|
//! | `encoded` | the encoder's output, with or without padding |
//! | `cache` | keys and values of the decoder, with a length for each row |
//! | `past` | one block's keys and values on the CPU |
//! | `grid`, `cells` | all blocks' keys and values on a device, and the tokens of a step there |
//! | `read` | the tokens of a step whose output is read |
//! | `terms` | what is added to the scores of a step's tokens |

mod cache;
mod cells;
mod encoded;
mod grid;
mod past;
mod read;
mod terms;

pub use cache::PackedKvCache;
pub use encoded::Encoded;

pub(crate) use cache::{PackedBlocks, Past};
pub(crate) use cells::Cells;
pub(crate) use grid::{Grid, GridBlock, GridMemory, GridStep};
pub(crate) use past::PackedPast;
pub(crate) use read::Read;
pub(crate) use terms::PackedTerms;
