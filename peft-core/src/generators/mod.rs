//! **Where the weights come from**: the traits of a weight generator, and the simplest one.
//!
//! - `generator`: [`GeneratorConfig`] (data) and [`WeightGenerator`], which turns a condition into weights.
//! - `condition`: [`Condition`], what weights are generated for: tasks, and vectors or states of the backbone.
//! - `states`: [`States`], the output of a stack of the backbone.
//! - `needs`: [`Needs`], what a generator has to see.
//! - `static_weights`: plain trainable variables.

mod condition;
mod generator;
mod needs;
mod states;
mod static_weights;

pub use condition::{Condition, ConditionInputs, RowTasks};
pub use generator::{GeneratorConfig, Tasks, WeightGenerator, generate_rows};
pub use needs::Needs;
pub use states::States;
pub use static_weights::{PEFT_PREFIX, StaticConfig, plain_weights};
