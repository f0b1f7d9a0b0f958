//! Checks for authors of methods: gradients, merging, saving, mixed batches and more. Every method of this workspace passes them.
//!
//! [`check`] takes a configuration, a generator and a [`TestBackbone`]. The kit includes one: [`Toy`], with sites of every kind.
//!
//! ```
//! use peft_core::conformance::{Toy, check};
//! use peft_core::toy::Scale;
//! use peft_core::StaticConfig;
//!
//! let method = Scale::new(["q", "wo"]);
//! let generator = StaticConfig::new().per_task(true);
//! let report = check(&method, &generator, &Toy::new(7)?)?;
//! println!("{report}");
//! report.into_result()?;
//! # Ok::<(), peft_core::Error>(())
//! ```

mod backbone;
mod checks;
mod report;
mod subject;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
mod toy;

pub use backbone::{ROWS, TestBackbone};
pub use report::{Outcome, Report};
pub use toy::Toy;

use crate::{GeneratorConfig, PeftConfig, Result};
use subject::Subject;

/// Runs every check.
///
/// # Errors
/// If the method cannot be put on the backbone at all. What a check finds is in the report.
pub fn check(method: &dyn PeftConfig, generator: &dyn GeneratorConfig, backbone: &dyn TestBackbone) -> Result<Report> {
    let subject = Subject::new(method, generator, backbone)?;
    let outcomes = checks::ALL.iter().map(|(name, check)| {
        let outcome = check(&subject).unwrap_or_else(|error| Outcome::Failed(format!("stopped: {error}")));
        (*name, outcome)
    });
    Ok(Report { method: method.typetag_name().to_owned(), outcomes: outcomes.collect() })
}
