//! Outputs at the start, after loading, and without the method.

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, TOLERANCE, gap, same};
use crate::{Condition, Ctx, Error, Result};

/// If the method promises it, the model computes the same as before until the first step.
pub(super) fn identity(subject: &Subject<'_>) -> Result<Outcome> {
    if !subject.method.identity_at_init() {
        return Ok(Outcome::NotApplicable("the method does not promise it".to_owned()));
    }
    let begun = subject.run(&subject.at_init()?, &Condition::Task(0), &ALL_ROWS, Ctx::eval())?;
    let gap = gap(&begun, &subject.bare()?)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("the output differs by {gap:.1e} before the first step")))
}

/// Saved weights, loaded again, are the same bytes and compute the same.
pub(super) fn saved(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let bytes = |built: &crate::conformance::subject::Built| {
        safetensors::serialize(built.store.tensors(), None).map_err(|e| Error::Mismatch(e.to_string()))
    };
    let saved = bytes(&built)?;
    let tensors = candle_core::safetensors::load_buffer(&saved, &candle_core::Device::Cpu)?;
    let loaded = subject.with(tensors.into_iter().collect())?;
    let run = |built| subject.run(built, &Condition::Task(1), &ALL_ROWS, Ctx::eval());
    let equal = same(&run(&built)?, &run(&loaded)?)?;
    Ok(match (bytes(&loaded)? == saved, equal) {
        (true, true) => Outcome::Held,
        (false, _) => Outcome::Failed("saving again gives other bytes".to_owned()),
        (_, false) => Outcome::Failed("the loaded weights compute something else".to_owned()),
    })
}

/// Without the method, the backbone computes the same as before it was used.
pub(super) fn disabled(subject: &Subject<'_>) -> Result<Outcome> {
    let before = subject.bare()?;
    let active = subject.run(&subject.perturbed()?, &Condition::Task(0), &ALL_ROWS, Ctx::train(1, 1))?;
    if gap(&active, &before)? <= TOLERANCE {
        return Ok(Outcome::Failed("random weights change nothing".to_owned()));
    }
    Ok(Outcome::of(same(&before, &subject.bare()?)?, || "the bare backbone has changed".to_owned()))
}
