//! What all shards of a folder have in common.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::hexadecimal;
use crate::{Error, Result};

/// The layout of a job's file.
const VERSION: u32 = 1;

/// What the result depends on, apart from the shard: all shards of a folder must agree in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    version: u32,
    /// The version of this program.
    program: String,
    /// The number of shards.
    shards: usize,
    /// Settings, by the option that sets them.
    settings: BTreeMap<String, String>,
    /// Hashes of content, by a name for it.
    content: BTreeMap<String, String>,
}

impl Job {
    /// The job of `shards` shards with these `settings`, by the option that sets them, and hashes of `content`, by a name for it.
    pub fn new(shards: usize, settings: BTreeMap<String, String>, content: BTreeMap<String, String>) -> Self {
        Self { version: VERSION, program: env!("CARGO_PKG_VERSION").to_owned(), shards, settings, content }
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// What a setting is.
    pub fn setting(&self, option: &str) -> Option<&str> {
        self.settings.get(option).map(String::as_str)
    }

    /// Its hash, which the records of its shards carry.
    ///
    /// # Errors
    /// Never in practice: every job can be written as JSON.
    pub(super) fn hash(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|e| Error::Internal(format!("a job is no JSON: {e}")))?;
        Ok(hexadecimal(&Sha256::digest(text.as_bytes())))
    }

    /// Refuses to work on `kept`, the job of the folder at `root`, unless it is this one.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that differs.
    pub(super) fn require_same(&self, kept: &Self, root: &Path) -> Result<()> {
        if self == kept {
            return Ok(());
        }
        let mut differences = Vec::new();
        let mut compare = |name: &str, before: &str, now: &str| {
            if before != now {
                differences.push(format!("{name}: {before} in the folder, {now} now"));
            }
        };
        compare("the number of shards", &kept.shards.to_string(), &self.shards.to_string());
        compare("the version of hyperloader", &kept.program, &self.program);
        compare("the layout of the folder", &kept.version.to_string(), &self.version.to_string());
        for name in keys(&kept.settings, &self.settings) {
            let value =
                |settings: &BTreeMap<String, String>| settings.get(name).map_or("not set", String::as_str).to_owned();
            compare(name, &value(&kept.settings), &value(&self.settings));
        }
        let changed =
            keys(&kept.content, &self.content).filter(|name| kept.content.get(*name) != self.content.get(*name));
        differences.extend(changed.map(|name| format!("the content of {name}")));
        Err(Error::Config(format!(
            "{}: its shards were begun for something else, and these differ:\n  {}\nSet them back, or name another folder",
            root.display(),
            differences.join("\n  ")
        )))
    }
}

/// The keys of both, in order.
fn keys<'a>(
    one: &'a BTreeMap<String, String>,
    other: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a String> {
    let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
}
