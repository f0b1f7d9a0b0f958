//! LoRA, rsLoRA, DoRA and IA3 for candle, and Hugging Face `peft` folders that hold them.
//!
//! LoRA freezes a weight `W` and learns a low-rank change of it, `s B A`. Fine-tuning then trains well under 1 % of the
//! parameters, and the change can be merged into `W` afterwards. The main type is [`LoraConfig`]; [`Ia3Config`] rescales
//! activations instead. Configurations hold no weights: a generator from `peft-core` (plain variables) or `peft-hyper` (a
//! hypernetwork) makes them.
//!
//! - [`files`]: read and write `peft` folders.
//! - [`add_weighted_adapter`]: combine several LoRA adapters into one.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use peft_core::prelude::*;
//! use peft_core::toy::toy_sites;
//! use peft_lora::LoraConfig;
//!
//! // LoRA of rank 4 on `q` and `v` of a toy backbone with two layers of 16 features.
//! let sites = toy_sites(2, 16);
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(LoraConfig::new(4).alpha(8.).target_modules(["q", "v"]))];
//! let plan = Plan::resolve(&sites, &methods)?;
//! assert_eq!(plan.num_parameters(), 2 * 2 * (4 * 16 + 16 * 4));
//!
//! let store = ParamStore::new(42, &Device::Cpu);
//! let generator = StaticConfig::new().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
//! assert!(store.vars().iter().any(|(name, _)| name == "base_model.model.layers.0.q.lora_A.weight"));
//!
//! // `B` starts at zero, so merging changes nothing before the first training step.
//! let weights = generator.generate(&Condition::Task(0))?;
//! let weight = Tensor::ones((16, 16), DType::F32, &Device::Cpu)?;
//! let q = sites.find("layers.0.q").ok_or("no such site")?;
//! let merged = ActiveAdapters::new(&plan, &weights)?.merge(q, &weight)?.weight().ok_or("LoRA can be merged")?;
//! assert_eq!(merged.to_vec2::<f32>()?, weight.to_vec2::<f32>()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

#[allow(clippy::disallowed_methods, reason = "reads and writes files")]
pub mod files;

mod bias;
#[allow(clippy::disallowed_methods, reason = "makes a new adapter out of others, on the host")]
mod combine;
mod config;
mod dora;
mod embedding;
mod full;
mod gate;
mod ia3;
mod init;
mod lora;
mod patterns;
#[cfg(test)]
mod tests;

pub use bias::LoraBias;
pub use combine::{Combination, CombinationType, MajoritySignMethod, add_weighted_adapter, combine};
pub use config::LoraConfig;
pub use full::{DeltaNames, WeightDelta};
pub use ia3::Ia3Config;
pub use init::LoraInit;
pub use patterns::Patterns;

/// The program of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
