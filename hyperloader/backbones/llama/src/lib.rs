//! Llama and Mistral for candle that can be trained and that generate, with places where PEFT methods act.
//!
//! Llama is the decoder of Touvron et al., *LLaMA: open and efficient foundation language models* (arXiv 2302.13971), with grouped-query
//! attention and the longer context of later versions (arXiv 2407.21783). Mistral is the same with a sliding window (arXiv 2310.06825).
//!
//! | step | what to use |
//! |---|---|
//! | open a model | [`Llama::from_folder`]; [`Llama::new`] with any `VarBuilder`; [`Llama::random`] |
//! | see where methods can act | [`Llama::sites`] |
//! | train | [`peft_core::PeftModel`] with [`LlamaBatch`]; in your own loop [`Llama::hidden`], [`Llama::logits`] or [`Llama::output_weight`] |
//! | merge methods into the weights | [`Llama::merge_and_unload`], [`Llama::unmerge`] |
//! | generate text | [`generate`] with [`GenerateOptions`] |
//! | generate in your own loop | [`Llama::extend`] with a [`KvCache`] |
//! | save | [`save_backbone`] |
//!
//! Parameters have exactly the names of Hugging Face checkpoints. The backbone names its sites and calls the methods there; it knows no
//! PEFT method. A [`Llama`] never changes: training mode, random numbers, the choice of kernels and the key-value cache are arguments.
//!
//! ```
//! use candle_core::Device;
//! use peft_core::{ActiveAdapters, Ctx};
//! use peft_llama::{GenerateOptions, Llama, LlamaConfig, LlamaInput, generate};
//!
//! let llama = Llama::random(&LlamaConfig::small(), 0)?;
//! let prompts = LlamaInput::new(&[&[17, 4, 9], &[8, 3]], &Device::Cpu)?;
//! let (none, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
//! let logits = llama.logits(&llama.hidden(&prompts, &none, &mut ctx)?, &none, &mut ctx)?;
//! assert_eq!(logits.dims(), [2, 3, 64]);
//!
//! let written = generate(&llama, &prompts, &GenerateOptions::new(5), &none)?;
//! assert!(written.iter().all(|tokens| tokens.len() <= 5));
//! # Ok::<(), peft_core::Error>(())
//! ```
//!
//! # Modules
//!
//! | module | idea |
//! |---|---|
//! | `config`, `hf_config` | the shape of a model |
//! | `open`, `save` | models from folders, and back |
//! | `input`, `batch` | tokens of several rows, and a training batch |
//! | `rope`, `call` | rotary angles; what the blocks of a call share |
//! | `cache` | the keys and values of tokens that were seen |
//! | `attention`, `feed_forward`, `block`, `model` | the network |
//! | `backbone`, `merge` | training, and methods merged into the weights |
//! | `generate` | greedy and sampled generation |

// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod attention;
mod backbone;
mod batch;
mod block;
mod cache;
mod call;
mod config;
mod feed_forward;
mod generate;
mod hf_config;
mod input;
mod merge;
mod model;
mod open;
mod rope;
mod save;

#[cfg(test)]
mod testing;

/// The program of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code of the page is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/adding-a-backbone.md")]
struct AddingABackbone;

pub use batch::{IGNORED, LlamaBatch};
pub use cache::KvCache;
pub use config::LlamaConfig;
pub use generate::{GenerateOptions, Sampling, generate};
pub use input::LlamaInput;
pub use model::Llama;
pub use peft_core::layers::Positions;
pub use rope::RopeScaling;
pub use save::save_backbone;
