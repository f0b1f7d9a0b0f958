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
//! | `weights` | whence its parameters come, and which of them train |
//! | `builder`, `layers` | parameters that know their names; linear maps and norms |
//! | `bias`, `mask`, `terms`, `locality` | what is added to attention scores, and how it may begin |
//! | `attention`, `feed_forward`, `block`, `stack` | the network |
//! | `model` | [`T5`]: encode, decode, logits |
//! | `fold` | fixed weights for decoding; merge and unmerge |
//! | `incremental`, `cache` | decoding token by token, and its state |
//! | `rows` | the same where each row goes on at its own pace; sentences without padding |
//! | `table` | the embedding table, in memory or in its file |
//! | `candidates` | the scores of a few words instead of all |

mod attention;
mod bias;
mod block;
mod builder;
mod cache;
mod candidates;
mod config;
pub mod decode;
mod error;
mod feed_forward;
mod fold;
mod hf_config;
mod incremental;
mod int8;
mod layers;
mod locality;
mod mask;
mod model;
mod presets;
mod rows;
mod stack;
mod table;
mod terms;
mod weights;

#[cfg(test)]
mod testing;

pub use cache::Cache;
pub use candidates::Candidates;
pub use config::{FeedForwardProj, T5Config};
pub use error::{Error, Result};
pub use fold::{Merged, Refusal};
pub use locality::local_biases;
pub use model::{T5, shift_right};
pub use presets::{preset, preset_names};
pub use rows::{Encoded, PackedKvCache, PackedTokens};
pub use weights::{Loading, TableFile, Trainable, Weights, save_backbone};
