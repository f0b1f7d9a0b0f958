//! Adapters by name on a backbone, and an adapter as files hold it.
//!
//! - `named`: [`Adapters`], several adapters by name, with the verbs of Hugging Face `peft`.
//! - `names`: look-ups by name and their errors.
//! - `known`: names that must be known.
//! - `count`: how many parameters train.
//! - `checkpoint`: methods with their weights.

mod checkpoint;
mod count;
mod known;
mod named;
mod names;
#[cfg(test)]
mod tests;

pub use checkpoint::AdapterCheckpoint;
pub use count::TrainableParameters;
pub(crate) use known::check_stack;
pub use named::{Adapters, BASE};
