//! Merging into the backbone's weights.

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, TOLERANCE, gap};
use crate::{ActiveAdapters, Condition, Ctx, Result};

/// The merged backbone computes the same; methods that cannot be merged still act.
pub(super) fn merged(subject: &Subject<'_>) -> Result<Outcome> {
    let weights = subject.perturbed()?.weights(&Condition::Task(1))?;
    let active = ActiveAdapters::new(&subject.plan, &weights)?;
    let (merged, sites) = subject.backbone.merge(&active)?;
    if sites == 0 {
        return Ok(Outcome::NotApplicable("it has no weight delta at any of its sites".to_owned()));
    }
    let apart = subject.backbone.run(&ALL_ROWS, &active, &mut Ctx::eval())?;
    let gap = gap(&apart, &merged.run(&ALL_ROWS, &active, &mut Ctx::eval())?)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("merged at {sites} sites, the output differs by {gap:.1e}")))
}
