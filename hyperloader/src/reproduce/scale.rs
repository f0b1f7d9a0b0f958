//! The sizes at which a suite runs: backbone, length of training, number of test sentences.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The size of a suite's models and training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// A T5 that the suite pretrains itself; minutes a suite
    Tiny,
    /// t5-small and an eighth of the paper's steps
    Small,
    /// t5-base and the paper's steps
    Base,
}

/// What a scale sets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleSettings {
    /// The backbone's name; without it the suite pretrains one, as `config.pretrain` says.
    pub backbone: Option<String>,
    /// The built-in shape of the backbone.
    pub shape: Option<String>,
    /// Test sentences of a corpus, the same ones for every system; 0: all.
    pub test_sentences: usize,
    /// The time that training on a sentence takes, for estimates.
    pub seconds_per_sentence: f64,
    /// Where this time is from.
    pub rate: String,
    /// Keys of the configuration.
    #[serde(default)]
    pub config: toml::Table,
    /// The learning rate of each kind of system; without it that of the system's file.
    #[serde(default)]
    pub learning_rate: BTreeMap<Kind, f64>,
    /// Keys of methods, by `peft_type`: what suits the backbone's width.
    #[serde(default)]
    pub methods: BTreeMap<String, toml::Table>,
    /// Keys of generators, by name.
    #[serde(default)]
    pub generators: BTreeMap<String, toml::Table>,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A generator other than `static`.
    Hypernetwork,
    /// Variables of LoRA alone.
    Lora,
    /// Variables of other methods.
    Static,
    /// The whole backbone.
    Full,
}

impl Scale {
    /// Its name, as `--scale` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Base => "base",
        }
    }

    /// What it sets.
    ///
    /// # Errors
    /// [`Error::Internal`] if its file in this crate is damaged.
    pub fn settings(self) -> Result<ScaleSettings> {
        let text = match self {
            Self::Tiny => include_str!("scales/tiny.toml"),
            Self::Small => include_str!("scales/small.toml"),
            Self::Base => include_str!("scales/base.toml"),
        };
        toml::from_str(text).map_err(|e| Error::Internal(format!("scale {}: {e}", self.name())))
    }
}
