//! The LoRA family: low-rank changes of linear maps, and rescalings of them.
//!
//! The main type is [`LoraConfig`], `peft_type = "LORA"`: LoRA, rsLoRA, DoRA. [`Ia3Config`] is IA3. Like every method it holds no weights; a generator of
//! `peft-core` (variables) or `peft-hyper` (a hypernetwork) supplies them.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use peft_core::toy::toy_sites;
//! use peft_core::{ActiveAdapters, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig, Tasks};
//! use peft_lora::LoraConfig;
//!
//! // LoRA on `q` and `v` of a toy backbone with two layers of 16 features.
//! let sites = toy_sites(2, 16);
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(LoraConfig { r: 4.try_into()?, ..LoraConfig::default() })];
//! let plan = Plan::resolve(&sites, &methods)?;
//! assert_eq!(plan.num_parameters(), 2 * 2 * (4 * 16 + 16 * 4));
//!
//! let store = ParamStore::new(42, &Device::Cpu);
//! let generator = StaticConfig::default().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
//! assert!(store.vars().iter().any(|(name, _)| name == "base_model.model.layers.0.q.lora_A.weight"));
//!
//! // B begins at zero, so that the model begins as it was.
//! let weights = generator.generate(&Condition::Task(0))?;
//! let weight = Tensor::ones((16, 16), DType::F32, &Device::Cpu)?;
//! let q = sites.find("layers.0.q").ok_or("no such site")?;
//! let folded = ActiveAdapters::new(&plan, &weights)?.merge(q, &weight)?.weight().ok_or("LoRA merges")?;
//! assert_eq!(folded.to_vec2::<f32>()?, weight.to_vec2::<f32>()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod files;

mod combine;
mod config;
mod dora;
mod full;
mod gate;
mod ia3;
mod init;
mod lora;
mod patterns;
#[cfg(test)]
mod tests;

pub use combine::{Combination, CombinationType, MajoritySignMethod, add_weighted_adapter, combine};
pub use config::LoraConfig;
pub use ia3::Ia3Config;
pub use init::LoraInit;
pub use patterns::Patterns;
