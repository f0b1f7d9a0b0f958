//! **Where the weights come from**: the traits of a weight generator, and the simplest one.
//!
//! - `generator`: [`GeneratorConfig`] (data) and [`WeightGenerator`], which turns a task into weights.
//! - `static_weights`: plain trainable variables.

mod generator;
mod static_weights;

pub use generator::{Condition, GeneratorConfig, Tasks, WeightGenerator, generate_rows};
pub use static_weights::{PEFT_PREFIX, StaticConfig};
