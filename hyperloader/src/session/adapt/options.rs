//! What is added, and how much of it trains.

use peft_hyper::Unshared;

use crate::config::TaskConfig;
use crate::run::RunDir;

/// How a task is added to a trained run.
#[derive(Debug, Clone)]
pub struct AdaptOptions {
    /// The trained run. Its generator is a hypernetwork.
    pub run: RunDir,
    /// The new task: its name, its files, and how they are read.
    pub task: TaskConfig,
    /// What trains.
    pub unfreeze: Unfreeze,
    /// Changes of settings, `key=value`: keys of `train`, and of the new task as `task.format`.
    pub overrides: Vec<String>,
}

/// What trains for a new task. Each choice includes the one before.
///
/// What the other tasks share stays frozen; a part that trains is a copy that belongs to the new task alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Unfreeze {
    /// The new task's embedding alone, 64 numbers by default
    #[default]
    Embedding,
    /// Also a copy of the conditioning network of each stack
    Conditioning,
    /// Also a copy of the heads, and so a whole hypernetwork
    Heads,
}

impl Unfreeze {
    /// What the new task has of its own, in addition to its embedding.
    pub fn unshared(self) -> Option<Unshared> {
        match self {
            Self::Embedding => None,
            Self::Conditioning => Some(Unshared::Conditioning),
            Self::Heads => Some(Unshared::Heads),
        }
    }

    /// The default learning rate. One vector can be moved fast; a step of the heads is multiplied by the width of the conditioning
    /// vector.
    pub(super) fn learning_rate(self) -> f64 {
        match self {
            Self::Embedding => 3e-2,
            Self::Conditioning => 3e-3,
            Self::Heads => 1e-3,
        }
    }
}
