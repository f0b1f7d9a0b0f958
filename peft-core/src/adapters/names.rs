//! Which adapter a name means, and what was probably meant.

use super::{Adapters, Named};
use crate::{Error, Result};

/// The name that stands for the bare backbone where rows of a batch are given adapters, as in Hugging Face `peft`.
pub const BASE: &str = "__base__";

/// How alike two names must be (0 to 1) for one to be worth suggesting.
const ALIKE: f64 = 0.6;

impl Adapters {
    /// The names, in the order in which the adapters were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|named| named.name.as_str())
    }

    /// The names of the active adapters, in the order in which they act.
    pub fn active_names(&self) -> impl Iterator<Item = &str> {
        self.active.iter().map(String::as_str)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Named> {
        self.named.iter().find(|named| named.name == name)
    }

    pub(super) fn place(&self, name: &str) -> Result<usize> {
        self.named.iter().position(|named| named.name == name).ok_or_else(|| self.unknown(name))
    }

    pub(super) fn unknown(&self, name: &str) -> Error {
        let score = |known: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
        let near = self.names().map(|known| (known, score(known))).filter(|(_, score)| *score >= ALIKE);
        let near = near.max_by(|a, b| a.1.total_cmp(&b.1));
        let meant = near.map_or_else(String::new, |(known, _)| format!(" did you mean {known:?}?"));
        let known: Vec<&str> = self.names().collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Error::Mismatch(format!("unknown adapter {name:?};{meant} known: {known}"))
    }

    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if name == BASE {
            return Err(Error::Mismatch(format!("adapter {name:?}: the name stands for the bare backbone")));
        }
        if self.find(name).is_some() {
            let reason = "there is one of that name already; delete_adapter first, or choose another name";
            return Err(Error::Mismatch(format!("adapter {name:?}: {reason}")));
        }
        Ok(())
    }
}
