//! Which methods can be merged into the weights.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{AdapterWeights, Plan, Result, Site};

/// For each method of `plan`: whether it can be merged completely into the backbone's weights.
///
/// It can if it can be merged at each of its sites, and no method that cannot be merged acts at one of them: merging would change
/// the order of the two. `weights` has one set of weights, without a batch axis; `base` are the backbone's parameters by name.
pub(super) fn mergeable_methods(
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

/// The name of the parameter that a method at `site` is merged into.
fn weight_name(site: &Site) -> String {
    format!("{}.weight", site.path)
}

/// Unmarks the methods that share a site with a method that stays, and returns whether there were any.
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
