//! The systems that are compared. Each is configuration alone, a file of the folder `systems`.

use serde::Deserialize;

use super::suite::Models;
use crate::{Error, Result};

/// One system: what defines it, without backbone, length of training and corpora.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its name: the folder of its cells.
    #[serde(skip)]
    pub name: String,
    /// Its name in tables.
    pub title: String,
    /// Whether one model serves all tasks, or each task has its own.
    pub models: Models,
    /// Whether a task's name is written before its sentences: a model that is not conditioned on the task must read it.
    #[serde(default)]
    pub prefix: bool,
    /// The keys of the configuration that it sets.
    pub config: toml::Table,
}

/// The files of the systems by their names.
const FILES: [(&str, &str); 14] = [
    ("hyperloader", include_str!("systems/hyperloader.toml")),
    ("hyperloader-text", include_str!("systems/hyperloader-text.toml")),
    ("hyperformer++", include_str!("systems/hyperformer++.toml")),
    ("hyperformer++-equal-sentences", include_str!("systems/hyperformer++-equal-sentences.toml")),
    ("hyperdecoder", include_str!("systems/hyperdecoder.toml")),
    ("lora-hypernetwork", include_str!("systems/lora-hypernetwork.toml")),
    ("adapters", include_str!("systems/adapters.toml")),
    ("lora", include_str!("systems/lora.toml")),
    ("unipelt", include_str!("systems/unipelt.toml")),
    ("full", include_str!("systems/full.toml")),
    ("full-multi-task", include_str!("systems/full-multi-task.toml")),
    ("hyperloader-r16", include_str!("systems/hyperloader-r16.toml")),
    ("hyperloader-4-heads", include_str!("systems/hyperloader-4-heads.toml")),
    ("hyperloader-8-heads", include_str!("systems/hyperloader-8-heads.toml")),
];

/// The names of all systems.
pub fn system_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

impl System {
    /// The system called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the known names if there is none.
    pub fn named(name: &str) -> Result<Self> {
        let Some((name, text)) = FILES.iter().find(|(own, _)| *own == name) else {
            let all: Vec<&str> = system_names().collect();
            let near = peft_core::near::nearest(name, all.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(Error::Config(format!("--systems: unknown system {name:?}; known: {}{hint}", all.join(", "))));
        };
        let system: Self = toml::from_str(text).map_err(|e| Error::Internal(format!("system {name}: {e}")))?;
        Ok(Self { name: (*name).to_owned(), ..system })
    }
}
