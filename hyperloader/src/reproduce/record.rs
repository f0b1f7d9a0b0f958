//! `suite.json`: what a suite folder holds, so that nothing else gets into it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plan::SuitePlan;
use super::scale::Scale;
use super::suite::Suite;
use crate::files::hexadecimal;
use crate::{Error, Result};
use peft_files::{read_json, write_atomic};

/// The name of the file.
pub const SUITE_FILE: &str = "suite.json";

/// What a suite folder holds. Seeds, systems, fractions and commands may be added; everything else stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteRecord {
    /// The comparison.
    pub suite: Suite,
    /// Its size.
    pub scale: Scale,
    /// The version of this crate.
    pub version: String,
    /// The tasks, in their order.
    pub tasks: Vec<String>,
    /// The backbone that was asked for; `None`: the scale's.
    pub backbone: Option<String>,
    /// The SHA-256 of each task's files.
    pub data: BTreeMap<String, String>,
    /// The SHA-256 of each system's configuration.
    pub configurations: BTreeMap<String, String>,
    /// The systems, with their names in tables and the systems of the paper that they stand for.
    pub systems: Vec<SystemRecord>,
    /// The shares of the data.
    pub fractions: Vec<f64>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The commands that worked on it.
    pub commands: Vec<String>,
}

/// A system in [`SuiteRecord`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemRecord {
    /// The name of its folder.
    pub name: String,
    /// Its name in tables.
    pub title: String,
    /// The row of the paper's tables to compare it with.
    pub paper: Option<String>,
}

impl SuiteRecord {
    /// The record of `plan`.
    ///
    /// # Errors
    /// If a corpus cannot be read.
    pub fn of(plan: &SuitePlan, command: &str) -> Result<Self> {
        let options = &plan.options;
        let digest = |entry: &super::suite::Entry| -> Result<(String, String)> {
            // The folder of the data may be another on another machine.
            let text = plan.system_config(entry, Path::new("data"))?.to_toml()?;
            let text = format!("{text}\nsteps = {}\ntest = {}\n", entry.steps, plan.settings.test_sentences);
            Ok((entry.system.name.clone(), hexadecimal(&Sha256::digest(text.as_bytes()))))
        };
        let data = plan.corpora.iter().map(|corpus| Ok((corpus.name.clone(), corpus.digest(&options.data)?)));
        let system = |entry: &super::suite::Entry| SystemRecord {
            name: entry.system.name.clone(),
            title: entry.system.title.clone(),
            paper: entry.paper.clone(),
        };
        Ok(Self {
            suite: options.suite,
            scale: options.scale,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tasks: plan.corpora.iter().map(|corpus| corpus.name.clone()).collect(),
            backbone: options.backbone.clone(),
            data: data.collect::<Result<_>>()?,
            configurations: plan.entries.iter().map(digest).collect::<Result<_>>()?,
            systems: plan.entries.iter().map(system).collect(),
            fractions: plan.fractions.clone(),
            seeds: plan.seeds.clone(),
            commands: vec![command.to_owned()],
        })
    }

    /// The record in the suite folder `suite`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(suite: &Path) -> Result<Option<Self>> {
        let path = suite.join(SUITE_FILE);
        if !path.exists() { Ok(None) } else { Ok(Some(read_json(path)?)) }
    }

    /// Writes the record into the suite folder `suite`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, suite: &Path) -> Result<()> {
        let path = suite.join(SUITE_FILE);
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::malformed(&path, e.to_string()))?;
        Ok(write_atomic(&path, |file| std::io::Write::write_all(file, format!("{text}\n").as_bytes()))?)
    }

    /// The record of the folder `suite` that this one is a record of, with what `new` adds.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that differs and cannot be added.
    pub fn joined(self, new: Self, suite: &Path) -> Result<Self> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, old: String, new: String| {
            if old != new {
                differences.push(format!("{what}: {old} in the folder, {new} now"));
            }
        };
        compare("suite", self.suite.name().into(), new.suite.name().into());
        compare("scale", self.scale.name().into(), new.scale.name().into());
        compare("version", self.version.clone(), new.version.clone());
        compare("tasks", self.tasks.join(", "), new.tasks.join(", "));
        let named = |backbone: &Option<String>| backbone.clone().unwrap_or_else(|| "the scale's".to_owned());
        compare("backbone", named(&self.backbone), named(&new.backbone));
        for (kind, old, now) in
            [("data of", &self.data, &new.data), ("configuration of", &self.configurations, &new.configurations)]
        {
            for (name, digest) in old {
                if now.get(name).is_some_and(|now| now != digest) {
                    differences.push(format!("{kind} {name}: its content is not that which the folder was made with"));
                }
            }
        }
        if !differences.is_empty() {
            return Err(Error::Config(format!(
                "{}: this folder holds another suite:\n  {}\nSet it back, or give another --out",
                suite.display(),
                differences.join("\n  ")
            )));
        }
        let mut joined = self;
        joined.configurations.extend(new.configurations);
        for system in new.systems {
            if !joined.systems.iter().any(|own| own.name == system.name) {
                joined.systems.push(system);
            }
        }
        joined.seeds = joined.seeds.into_iter().chain(new.seeds).collect::<BTreeSet<_>>().into_iter().collect();
        joined.fractions.extend(new.fractions);
        joined.fractions.sort_by(f64::total_cmp);
        joined.fractions.dedup();
        let commands = new.commands.into_iter().filter(|command| !joined.commands.contains(command));
        joined.commands.extend(commands.collect::<Vec<_>>());
        Ok(joined)
    }
}
