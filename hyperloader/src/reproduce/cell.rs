//! One cell of a suite: a system on one share of the data with one seed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A model to train and score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The name of the system.
    pub system: String,
    /// The task of a system that has one model a task; `None`: all tasks.
    pub task: Option<String>,
    /// The share of the training and validation data.
    pub fraction: f64,
    /// The seed of everything random.
    pub seed: u64,
}

impl Cell {
    /// Its folder relative to that of the suite: `cells/<system>/<task or all>/<fraction>/seed-<n>`.
    pub fn path(&self) -> PathBuf {
        Path::new("cells").join(self.name())
    }

    /// Its folder in the suite folder `suite`.
    pub fn folder(&self, suite: &Path) -> PathBuf {
        suite.join(self.path())
    }

    /// `<system>/<task or all>/<fraction>/seed-<n>`.
    pub fn name(&self) -> String {
        let task = self.task.as_deref().unwrap_or("all");
        format!("{}/{task}/{}/seed-{}", self.system, self.fraction, self.seed)
    }
}
