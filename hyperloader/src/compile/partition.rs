//! Which methods vanish into the weights.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{AdapterWeights, Plan, Result, Site};

/// For each method of `plan` whether it folds, whole, into the backbone's weights.
///
/// A method folds if it does so at each of its sites, and no other method acts there that does not: the order of the two
/// would change. `weights` has one set, without a batch axis; `base` are the backbone's parameters by name.
pub(super) fn folding_methods(
    plan: &Plan,
    weights: &AdapterWeights,
    base: &BTreeMap<String, Tensor>,
) -> Result<Vec<bool>> {
    let count = plan.targets().iter().map(|target| target.method + 1).max().unwrap_or(0);
    let mut folds = vec![true; count];
    for (target, weights) in plan.targets().iter().zip(weights.iter()) {
        let foldable = match base.get(&weight_name(&target.site)) {
            Some(base) => target.module.delta(weights, base)?.is_some(),
            None => false,
        };
        if let (false, Some(method)) = (foldable, folds.get_mut(target.method)) {
            *method = false;
        }
    }
    while spread(plan, &mut folds) {}
    Ok(folds)
}

/// The name of the parameter that a method at `site` would fold into.
fn weight_name(site: &Site) -> String {
    format!("{}.weight", site.path)
}

/// Takes back the methods that share a site with one that stays; whether there were any.
fn spread(plan: &Plan, folds: &mut [bool]) -> bool {
    let stays = |folds: &[bool], method: usize| folds.get(method) == Some(&false);
    let mut changed = false;
    for target in plan.targets() {
        let shared =
            |other: &peft_core::TargetedModule| other.site.path == target.site.path && stays(folds, other.method);
        if !stays(folds, target.method) && plan.targets().iter().any(shared) {
            if let Some(method) = folds.get_mut(target.method) {
                *method = false;
            }
            changed = true;
        }
    }
    changed
}
