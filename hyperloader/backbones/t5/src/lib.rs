//! A T5 for candle that can be trained and decoded, with places where PEFT methods act.
//!
//! T5 is the model of Raffel et al., *Exploring the limits of transfer learning with a unified text-to-text transformer* (JMLR
//! 2020). This crate has versions 1.0 (ReLU, tied output) and 1.1 (gated GELU, own output).
//!
//! | step | what to use |
//! |---|---|
//! | open a model | [`T5::from_folder`]; [`Weights`] for other float types, random values, or an embedding table that stays in its file |
//! | see where methods can act | [`T5::sites`] |
//! | train | [`peft_core::PeftModel`] with [`T5Batch`]; in your own loop [`T5::train`], [`T5::encode`], [`T5::decode`], [`T5::logits`] or [`T5::output_weight`] |
//! | merge methods into the weights, quantize | [`T5::merge`], [`T5::merge_and_unload`], [`T5::unmerge`], [`T5::quantize`] |
//! | write target sentences | [`T5::encode_packed`], [`decode::generate`] |
//! | label words | [`decode::TagDecoder`] |
//! | decode in your own loop | [`T5::start_packed`], [`T5::decode_packed`], [`T5::candidate_logits`] |
//! | save | [`save_backbone`] |
//!
//! Parameters have exactly the names of Hugging Face checkpoints. The backbone names its sites and calls the methods there; it
//! knows no PEFT method. A [`T5`] never changes: training mode, random numbers, the choice of kernels and the key-value cache
//! are arguments.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use peft_core::{ActiveAdapters, Ctx, ParamStore};
//! use peft_t5::{T5, Trainable, Weights, preset, shift_right};
//!
//! let mut config = preset("t5-small").ok_or("no such preset")?;
//! (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
//! let store = ParamStore::new(0, &Device::Cpu);
//! let t5 = T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?.train(Trainable::Norms, &store)?;
//!
//! let ids = Tensor::new(&[[17u32, 4, 1], [9, 1, 0]], &Device::Cpu)?;
//! let mask = Tensor::new(&[[1u32, 1, 1], [1, 1, 0]], &Device::Cpu)?;
//! let labels = Tensor::new(&[[5u32, 1], [8, 1]], &Device::Cpu)?;
//! let (active, mut ctx) = (ActiveAdapters::none(), Ctx::train(42, 0));
//! let encoded = t5.encode(&ids, &mask, &active, &mut ctx)?;
//! let hidden = t5.decode(&shift_right(&labels, config.decoder_start_token_id)?, &encoded, &active, &mut ctx)?;
//! let logits = t5.logits(&hidden, &active, &mut ctx)?;
//! let loss = candle_nn::loss::cross_entropy(&logits.flatten_to(1)?, &labels.flatten_all()?)?;
//! assert!(loss.backward()?.get(&store.vars()[0].1).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! | module | idea |
//! |---|---|
//! | `config`, `hf_config`, `presets` | the shape of a model |
//! | `weights`, `open`, `train`, `save` | loading parameters, making them trainable, saving them |
//! | `builder` | takes parameters, which are layers of [`peft_core::layers`], under their names |
//! | `bias`, `offsets`, `mask`, `terms`, `locality` | position biases and masks of attention scores, and initial biases that prefer near words |
//! | `attention`, `feed_forward`, `block`, `side`, `stack` | the network |
//! | `model` | [`T5`]: encode, decode, logits |
//! | `merge`, `int8` | methods merged into the weights; eight bits |
//! | `packed`, `encode_packed`, `decode_packed` | sentences without padding; in decoding, each row advances by its own number of tokens |
//! | `decode` | greedy and beam search; structured decoding of tags |
//! | `table` | the embedding table, in memory or in its file |
//! | `candidates` | the scores of a few words instead of all |

// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod attention;
mod backbone;
mod batch;
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
mod locality;
mod mask;
mod merge;
mod model;
mod offsets;
mod open;
mod packed;
mod presets;
mod save;
mod side;
mod stack;
mod table;
mod terms;
mod train;
#[allow(clippy::disallowed_methods, reason = "reads files, before the first step")]
mod weights;

#[cfg(test)]
mod testing;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use batch::T5Batch;
pub use candidates::Candidates;
pub use config::{FeedForwardProj, T5Config};
pub use decode_packed::{CacheSize, PackedStep, PackedTokens};
pub use error::{Error, Result};
pub use locality::local_biases;
pub use model::{T5, shift_right};
pub use packed::{Encoded, PackedKvCache};
pub use peft_core::{Merged, Refusal};
pub use presets::{preset, preset_names};
pub use save::save_backbone;
pub use weights::{Loading, TableFile, Trainable, Weights};
