//! Adapters: small trainable networks inside a frozen model, and methods that train prefixes, prompts or norms instead.
//!
//! | type | `peft_type` | method |
//! |---|---|---|
//! | [`BottleneckConfig`] | `BOTTLENECK` | two projections through a bottleneck: Houlsby, Pfeiffer, parallel, HyperLoader's |
//! | [`CompacterConfig`] | `COMPACTER` | the same, with projections that are sums of Kronecker products |
//! | [`PrefixConfig`] | `PREFIX` | prefixes of keys and values, as AdapterHub computes them |
//! | [`PrefixTuningConfig`] | `PREFIX_TUNING` | prefixes of keys and values, as Hugging Face `peft` computes them |
//! | [`PromptTuningConfig`] | `PROMPT_TUNING` | embeddings before the source |
//! | [`LnTuningConfig`] | `LN_TUNING` | the scales of the backbone's norms |
//! | [`UnionConfig`], [`MamConfig`], [`UniPeltConfig`] | `UNION`, `MAM`, `UNIPELT` | several methods as one |
//!
//! A configuration says which weights a method needs at each site of a backbone, and how they act. It holds no weights: a
//! generator of `peft-core` (plain variables) or of `peft-hyper` (a hypernetwork) makes them. [`files`] reads and writes the
//! adapter folders of AdapterHub's `adapters` and of Hugging Face `peft`.
//!
//! ```
//! use peft_adapter::BottleneckConfig;
//! use peft_core::prelude::*;
//! use peft_core::toy::toy_sites;
//!
//! // The toy backbone has one place for an adapter in each layer: after the feed-forward block.
//! let plan = Plan::resolve(&toy_sites(3, 16), &[Box::new(BottleneckConfig::new(4.)) as Box<dyn PeftConfig>])?;
//! // Down 4×16 + 4, up 16×4 + 16, a layer norm of 2×16, in each of three layers.
//! assert_eq!(plan.num_parameters(), 3 * (4 * 16 + 4 + 16 * 4 + 16 + 2 * 16));
//! # Ok::<(), peft_core::Error>(())
//! ```

// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

#[allow(clippy::disallowed_methods, reason = "reads and writes files")]
pub mod files;

mod activation;
mod bottleneck;
mod compacter;
mod frame;
mod gate;
mod leave_out;
mod ln_tuning;
mod prefix;
mod prompt;
mod union;

pub use activation::NonLinearity;
pub use bottleneck::BottleneckConfig;
pub use compacter::CompacterConfig;
pub use leave_out::LeaveOut;
pub use ln_tuning::LnTuningConfig;
pub use prefix::{PrefixConfig, PrefixTuningConfig};
pub use prompt::PromptTuningConfig;
pub use union::{MamConfig, UniPeltConfig, UnionConfig};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
