//! The checks that every method of this workspace passes, for authors of methods elsewhere.
//!
//! Give [`check`] a configuration, a generator and a [`Backbone`] ([`Toy`] comes with the kit and has sites of every kind):
//!
//! ```
//! use peft_core::conformance::{Toy, check};
//! use peft_core::toy::Scale;
//! use peft_core::{StaticConfig, TargetModules};
//!
//! let method = Scale { target_modules: TargetModules::suffixes(["q", "wo"]) };
//! let generator = StaticConfig { per_task: true, ..StaticConfig::default() };
//! let report = check(&method, &generator, &Toy::new(7)?)?;
//! println!("{report}");
//! report.into_result()?;
//! # Ok::<(), peft_core::Error>(())
//! ```

mod checks;
mod report;
mod subject;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
mod toy;

pub use report::{Outcome, Report};
pub use toy::Toy;

use candle_core::Tensor;

use crate::{ActiveAdapters, Ctx, GeneratorConfig, PeftConfig, Result, Sites};
use subject::Subject;

/// How many rows the batch of a [`Backbone`] has.
pub const ROWS: usize = 3;

/// A backbone that can be run on a fixed batch of [`ROWS`] rows.
pub trait Backbone {
    /// Where methods may act.
    fn sites(&self) -> &Sites;

    /// The output for these rows of the batch, `[rows, ..]`.
    ///
    /// # Errors
    /// As the methods' own.
    fn run(&self, rows: &[usize], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor>;

    /// The same backbone with everything merged that merges, and at how many sites that was. Where something was merged, no
    /// method is called any more.
    ///
    /// # Errors
    /// As the methods' own.
    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn Backbone>, usize)>;
}

/// Runs every check.
///
/// # Errors
/// If the method cannot be put on the backbone at all; what a check finds is in the report.
pub fn check(method: &dyn PeftConfig, generator: &dyn GeneratorConfig, backbone: &dyn Backbone) -> Result<Report> {
    let subject = Subject::new(method, generator, backbone)?;
    let outcomes = checks::ALL.iter().map(|(name, check)| {
        let outcome = check(&subject).unwrap_or_else(|error| Outcome::Failed(format!("stopped: {error}")));
        (*name, outcome)
    });
    Ok(Report { method: method.typetag_name().to_owned(), outcomes: outcomes.collect() })
}
