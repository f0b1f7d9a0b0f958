//! Merging into the backbone's weights.

use super::TOLERANCE;
use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, gap};
use crate::{ActiveAdapters, Condition, Ctx, Result};

/// What merges computes the same merged; the rest still acts.
pub(super) fn merged(subject: &Subject<'_>) -> Result<Outcome> {
    let weights = subject.perturbed()?.weights(&Condition::Task(1))?;
    let active = ActiveAdapters::new(&subject.plan, &weights)?;
    let (merged, sites) = subject.backbone.merge(&active)?;
    if sites == 0 {
        return Ok(Outcome::NotApplicable("it is no change of a weight at any of its sites".to_owned()));
    }
    let apart = subject.backbone.run(&ALL_ROWS, &active, &mut Ctx::eval())?;
    let gap = gap(&apart, &merged.run(&ALL_ROWS, &active, &mut Ctx::eval())?)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("merged at {sites} sites, the output differs by {gap:.1e}")))
}
