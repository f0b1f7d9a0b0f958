//! The suites: which systems are compared, on how much of the data, for how long.

use serde::{Deserialize, Serialize};

use super::systems::System;
use crate::{Error, Result};

/// A comparison of the paper, or one that the paper lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// All data (the paper's table 3a), and full fine-tuning
    HighResource,
    /// 10, 20 and 50 % of the training and validation data (table 3b)
    LowResource,
    /// Numbers of LoRA heads, rank, without adapters, without LoRA (table 4)
    Ablation,
    /// The paper's initialization of the hypernetwork against a scaled one
    Init,
    /// F1 as a function of the number of training steps
    Scaling,
}

/// Whether tasks share a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Models {
    /// One model serves all tasks.
    One,
    /// Each task has a model of its own.
    Each,
}

/// A system as a suite runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The system; its name and title are those of the entry.
    pub system: System,
    /// The share of the scale's steps that it trains for.
    pub steps: f64,
    /// The system of the paper's tables that it reproduces.
    pub paper: Option<String>,
}

const MAIN: [&str; 9] = [
    "hyperloader",
    "hyperformer++",
    "hyperdecoder",
    "lora-hypernetwork",
    "adapters",
    "lora",
    "unipelt",
    "full",
    "full-multi-task",
];
const ABLATION: [&str; 6] = [
    "hyperloader",
    "hyperloader-4-heads",
    "hyperloader-8-heads",
    "hyperloader-r16",
    "hyperformer++",
    "lora-hypernetwork",
];
/// Systems of the paper's text that differ from those of its code; only where they are asked for.
const ON_REQUEST: [&str; 2] = ["hyperloader-text", "hyperformer++-equal-sentences"];
/// The shares of the steps in the scaling suite.
const SHARES: [(&str, f64); 4] = [("eighth", 0.125), ("quarter", 0.25), ("half", 0.5), ("full", 1.)];

impl Suite {
    /// Its name, as `--suite` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HighResource => "high-resource",
            Self::LowResource => "low-resource",
            Self::Ablation => "ablation",
            Self::Init => "init",
            Self::Scaling => "scaling",
        }
    }

    /// The shares of the training and validation data that it uses, unless others are asked for.
    pub fn fractions(self) -> &'static [f64] {
        match self {
            Self::LowResource => &[0.1, 0.2, 0.5],
            _ => &[1.],
        }
    }

    /// Its systems: those called `names` or, without names, all.
    ///
    /// # Errors
    /// [`Error::Config`] if the suite has no such system.
    pub fn entries(self, names: &[String]) -> Result<Vec<Entry>> {
        let own = self.own()?;
        if names.is_empty() {
            return Ok(own);
        }
        let pick = |name: &String| match own.iter().find(|entry| entry.system.name == *name) {
            Some(entry) => Ok(entry.clone()),
            None => self.on_request(name, &own),
        };
        names.iter().map(pick).collect()
    }

    fn own(self) -> Result<Vec<Entry>> {
        match self {
            Self::HighResource | Self::LowResource => MAIN.iter().map(|name| Entry::of(name)).collect(),
            Self::Ablation => ABLATION.iter().map(|name| Entry::of(name)).collect(),
            Self::Init => {
                let scaled = |name: &str| Entry::of(name)?.with_init("scaled");
                let paper = |name: &str| Entry::of(name);
                Ok(vec![
                    paper("hyperloader")?,
                    scaled("hyperloader")?,
                    paper("hyperformer++")?,
                    scaled("hyperformer++")?,
                ])
            }
            Self::Scaling => {
                let mut entries = Vec::new();
                for name in ["hyperloader", "hyperformer++"] {
                    for (share, steps) in SHARES {
                        entries.push(Entry::of(name)?.for_share(share, steps));
                    }
                }
                Ok(entries)
            }
        }
    }

    fn on_request(self, name: &str, own: &[Entry]) -> Result<Entry> {
        let main = matches!(self, Self::HighResource | Self::LowResource | Self::Ablation);
        if main && (ON_REQUEST.contains(&name) || ABLATION.contains(&name) || MAIN.contains(&name)) {
            return Entry::of(name);
        }
        let mut known: Vec<&str> = own.iter().map(|entry| entry.system.name.as_str()).collect();
        if main {
            known.extend(ON_REQUEST);
        }
        let near = peft_core::near::nearest(name, known.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        Err(Error::Config(format!(
            "--systems: suite {} has no system {name:?}; it has {}{hint}",
            self.name(),
            known.join(", ")
        )))
    }
}

impl Entry {
    fn of(name: &str) -> Result<Self> {
        Ok(Self { system: System::named(name)?, steps: 1., paper: Some(name.to_owned()) })
    }

    /// The same system with another initialization of its hypernetwork, which the paper does not have.
    fn with_init(mut self, init: &str) -> Result<Self> {
        let generator = self.system.config.get_mut("generator").and_then(toml::Value::as_table_mut);
        let generator =
            generator.ok_or_else(|| Error::Internal(format!("{}: it has no generator", self.system.name)))?;
        generator.insert("init".to_owned(), init.into());
        self.system.name += &format!("-{init}");
        self.system.title += &format!(", {init} init");
        self.paper = None;
        Ok(self)
    }

    /// The same system, trained for a share of the steps.
    fn for_share(mut self, name: &str, share: f64) -> Self {
        if share < 1. {
            self.system.name += &format!("-{name}");
            self.system.title += &format!(", {} % of the steps", share * 100.);
            self.paper = None;
        }
        Self { steps: share, ..self }
    }
}
