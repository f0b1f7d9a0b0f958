//! Names that must be known.

use crate::near::did_you_mean;
use crate::{Error, Result};

/// The error for a name that is not `known`.
pub(super) fn unknown(name: &str, known: &[&str]) -> Error {
    let meant = did_you_mean(name, known.iter().copied());
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::Mismatch(format!("unknown adapter {name:?};{meant} known: {known}"))
}

/// Checks that a stack of adapters names only `known` ones, and none twice.
pub(crate) fn check_stack(stack: &[&str], known: &[&str]) -> Result<()> {
    for (place, name) in stack.iter().enumerate() {
        if !known.contains(name) {
            return Err(unknown(name, known));
        }
        if stack.iter().take(place).any(|earlier| earlier == name) {
            return Err(Error::Mismatch(format!("adapter {name:?} appears twice in the stack {stack:?}")));
        }
    }
    Ok(())
}
