//! The results of the checks.

use std::fmt;

use crate::{Error, Result};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The check passed.
    Held,
    /// The check does not apply to this method; the reason.
    NotApplicable(String),
    /// The check failed; what was observed.
    Failed(String),
}

impl Outcome {
    /// Held if `holds`, otherwise failed with `seen`.
    pub(super) fn of(holds: bool, seen: impl FnOnce() -> String) -> Self {
        if holds { Self::Held } else { Self::Failed(seen()) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::NotApplicable(reason) => write!(f, "not applicable: {reason}"),
            Self::Failed(seen) => write!(f, "FAILED: {seen}"),
        }
    }
}

/// The results of all checks for one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its `peft_type`.
    pub method: String,
    /// The checks by name, in their order.
    pub outcomes: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// The result of the check called `name`.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|(check, _)| *check == name).map(|(_, outcome)| outcome)
    }

    /// An error if a check failed.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the failed checks.
    pub fn into_result(self) -> Result<()> {
        let failed: Vec<String> = self
            .outcomes
            .iter()
            .filter_map(|(name, outcome)| match outcome {
                Outcome::Failed(seen) => Some(format!("{name}: {seen}")),
                _ => None,
            })
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::Mismatch(format!("{} does not conform; {}", self.method, failed.join("; "))))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.method)?;
        for (name, outcome) in &self.outcomes {
            writeln!(f, "  {name:<28} {outcome}")?;
        }
        Ok(())
    }
}
