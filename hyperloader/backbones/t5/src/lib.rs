//! T5 for training and for decoding: Raffel et al., *Exploring the limits of transfer learning with a unified
//! text-to-text transformer* (JMLR 2020), versions 1.0 (ReLU, tied output) and 1.1 (gated GELU, own output).
//!
//! Parameters have exactly the names of Hugging Face checkpoints. The backbone names its sites
//! ([`T5::sites`]) and calls whatever acts there; it knows no PEFT method. Mode, random numbers, kernels and the
//! key-value cache travel in arguments: a [`T5`] never changes.
//!
//! | module | idea |
//! |---|---|
//! | `config`, `hf_config`, `presets` | the shape of a model |
//! | `weights`, `open`, `train` | where its parameters come from, and which of them train |
//! | `builder`, `layers` | parameters that know their names; linear maps and norms |
//! | `bias`, `mask`, `terms`, `locality` | what is added to attention scores, and how it may begin |
//! | `key_values`, `attention`, `feed_forward`, `block`, `stack` | the network |
//! | `model` | [`T5`]: encode, decode, logits |
//! | `merge` | fixed weights for decoding; merge and unmerge |
//! | `packed`, `encode_packed`, `decode_packed` | sentences without padding; decoding in steps, each row at its own pace |
//! | `decode` | greedy and beam search; structured decoding of tags |
//! | `table` | the embedding table, in memory or in its file |
//! | `candidates` | the scores of a few words instead of all |

mod attention;
mod bias;
mod block;
mod builder;
mod candidates;
mod config;
pub mod decode;
mod decode_packed;
mod encode_packed;
mod error;
mod feed_forward;
mod hf_config;
mod int8;
mod key_values;
mod layers;
mod locality;
mod mask;
mod merge;
mod model;
mod open;
mod packed;
mod presets;
mod save;
mod stack;
mod table;
mod terms;
mod train;
mod weights;

#[cfg(test)]
mod testing;

pub use candidates::Candidates;
pub use config::{FeedForwardProj, T5Config};
pub use decode_packed::{CacheSize, PackedStep, PackedTokens};
pub use error::{Error, Result};
pub use locality::local_biases;
pub use merge::{Merged, Refusal};
pub use model::{T5, shift_right};
pub use packed::{Encoded, PackedKvCache};
pub use presets::{preset, preset_names};
pub use save::save_backbone;
pub use weights::{Loading, TableFile, Trainable, Weights};
