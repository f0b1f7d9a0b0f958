//! Look-ups by name and their errors.

use super::known::unknown;
use super::named::{Adapters, BASE, Named};
use crate::{Error, Result};

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
        unknown(name, &self.names().collect::<Vec<_>>())
    }

    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if name == BASE {
            return Err(Error::Mismatch(format!("adapter {name:?}: this name means the bare backbone")));
        }
        if self.find(name).is_some() {
            let reason = "there is one of that name already; delete_adapter first, or choose another name";
            return Err(Error::Mismatch(format!("adapter {name:?}: {reason}")));
        }
        Ok(())
    }
}
