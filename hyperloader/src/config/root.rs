//! [`Config`]: the whole file.

use peft_core::{GeneratorConfig, PeftConfig, PeftParts, StaticConfig, Tasks};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::data::DataConfig;
use super::eval::EvalConfig;
use super::model::ModelConfig;
use super::pretrain::PretrainConfig;
use super::task::TaskConfig;
use super::train::TrainConfig;
use crate::{Error, Result};
use peft_core::near::nearest;

/// A run's configuration. Every key has a default; [`Config::default`] is the configuration of an empty file.
#[derive(Debug, Clone, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The seed of everything random. Default 42.
    #[default(42)]
    pub seed: u64,
    /// The backbone.
    pub model: ModelConfig,
    /// Settings for the data of all tasks.
    pub data: DataConfig,
    /// Where the PEFT weights come from; its `generator` key names it. Default: `static`, plain trainable variables.
    #[default(Box::new(StaticConfig::default()))]
    pub generator: Box<dyn GeneratorConfig>,
    /// The optimization.
    pub train: TrainConfig,
    /// Decoding and scoring.
    pub eval: EvalConfig,
    /// Pretraining of a backbone, for the verb `pretrain`. Default: none.
    pub pretrain: Option<PretrainConfig>,
    /// The PEFT methods; the `peft_type` key of each names it. Default: none, which with `trainable = "all"` is full
    /// fine-tuning.
    pub peft: Vec<Box<dyn PeftConfig>>,
    /// The tasks; a task's number is its index in this list.
    pub tasks: Vec<TaskConfig>,
}

impl Config {
    /// The resolved configuration as TOML, with the value of every key. Loading it gives the same configuration.
    ///
    /// # Errors
    /// [`Error::Config`] if a value cannot be written as TOML (a seed above 2^63 - 1).
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Config(format!("configuration cannot be written as TOML: {e}")))
    }

    /// The tasks, of which there must be at least one.
    ///
    /// # Errors
    /// [`Error::Config`] if there are none.
    pub fn require_tasks(&self) -> Result<&[TaskConfig]> {
        if self.tasks.is_empty() {
            let message = "there are none; give at least one [[tasks]] with a name and train = \"PATH\"";
            return Err(Error::setting("tasks", message));
        }
        Ok(&self.tasks)
    }

    /// The methods, their generator and the tasks, as a model is built of them.
    ///
    /// # Errors
    /// As [`require_tasks`](Self::require_tasks).
    pub fn parts(&self) -> Result<PeftParts> {
        let tasks = Tasks::new(self.require_tasks()?.iter().map(|task| task.name.as_str()));
        Ok(PeftParts { methods: self.peft.clone(), generator: self.generator.clone(), tasks })
    }

    /// The task called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the known names and the nearest.
    pub fn task(&self, name: &str) -> Result<&TaskConfig> {
        if let Some(task) = self.tasks.iter().find(|t| t.name == name) {
            return Ok(task);
        }
        let known: Vec<&str> = self.tasks.iter().map(|t| t.name.as_str()).collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("; did you mean {near:?}?"),
            None => String::new(),
        };
        Err(Error::Config(format!("unknown task {name:?}; known: {}{hint}", known.join(", "))))
    }

    /// The settings of `[pretrain]`, which must be there.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such table.
    pub fn require_pretrain(&self) -> Result<&PretrainConfig> {
        let missing = || Error::setting("pretrain", "there is no such table; it says what to pretrain, and on what");
        self.pretrain.as_ref().ok_or_else(missing)
    }
}
