//! A backbone, the methods on it and the source of their weights, as one model.
//!
//! - `backbone`: [`Backbone`], the trait that a model implements.
//! - `peft_model`: [`PeftModel`], with the method names of Hugging Face `peft`.
//! - `prepare`, `batch_adapters`: one batch, from which weights may be generated, and [`BatchAdapters`], its adapters.
//! - `builder`: how a model is built.
//! - `condition`: a task by name or by number.
//! - `gradients`: the check of gradients before the first step.

mod backbone;
mod batch_adapters;
mod builder;
mod condition;
mod gradients;
mod peft_model;
mod prepare;
#[cfg(test)]
mod prepare_tests;
#[cfg(test)]
mod tests;

pub use backbone::{Backbone, Merged, Refusal};
pub use batch_adapters::BatchAdapters;
pub use builder::PeftModelBuilder;
pub use condition::IntoCondition;
pub use peft_model::{DEFAULT_ADAPTER, DEFAULT_TASK, PeftModel, PeftParts};
