//! Errors that name the offender.

use serde_json::json;

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, changed};
use crate::{Condition, Ctx, Error, Plan, Result};

/// A saved weight of another shape is refused by its key.
pub(super) fn shapes(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    subject.weights(&built, &Condition::Task(0), &ALL_ROWS, &mut Ctx::eval())?;
    let mut values = built.store.tensors();
    let Some((name, value)) = values.iter_mut().next() else {
        return Ok(Outcome::Failed("the method has no weights".to_owned()));
    };
    *value = value.pad_with_zeros(0, 0, 1)?;
    let name = name.clone();
    Ok(match subject.with(values) {
        Ok(_) => Outcome::Failed(format!("{name} was accepted with one row too many")),
        Err(error) => {
            let message = error.to_string();
            Outcome::of(message.contains(&name), || format!("the error does not name {name}: {message}"))
        }
    })
}

/// Targets that no site has are refused.
pub(super) fn targets(subject: &Subject<'_>) -> Result<Outcome> {
    if subject.method.target_modules().is_none() {
        return Ok(Outcome::NotApplicable("it has no target_modules".to_owned()));
    }
    let elsewhere = changed(subject.method, |config| config["target_modules"] = json!(["no_such_module"]))?;
    Ok(match Plan::resolve(subject.backbone.sites(), &[elsewhere]) {
        Err(Error::NoSiteMatched { .. }) => Outcome::Held,
        Err(other) => Outcome::Failed(format!("expected NoSiteMatched, found: {other}")),
        Ok(_) => Outcome::Failed("target_modules = [\"no_such_module\"] found a site".to_owned()),
    })
}
