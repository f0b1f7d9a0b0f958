//! Merging into the backbone's weights.

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, TOLERANCE, gap};
use crate::{ActiveAdapters, Condition, Ctx, Result};

/// The merged backbone computes the same; methods that cannot be merged still act. Weights that a generator makes for one row of
/// the batch are merged for that row.
pub(super) fn merged(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let rows = if built.generator.needs().is_empty() { &ALL_ROWS[..] } else { &ALL_ROWS[..1] };
    let weights = subject.weights(&built, &Condition::Task(1), rows, &mut Ctx::eval())?;
    let weights = if rows.len() == 1 { weights.of_row(&subject.plan, 0)? } else { weights };
    let active = ActiveAdapters::new(&subject.plan, &weights)?;
    let (merged, sites) = subject.backbone.merge(&active)?;
    if sites == 0 {
        return Ok(Outcome::NotApplicable("it has no weight delta at any of its sites".to_owned()));
    }
    let apart = subject.backbone.run(rows, &active, &mut Ctx::eval())?;
    let gap = gap(&apart, &merged.run(rows, &active, &mut Ctx::eval())?)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("merged at {sites} sites, the output differs by {gap:.1e}")))
}
