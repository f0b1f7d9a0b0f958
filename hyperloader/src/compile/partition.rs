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
    let mut mergeable = vec![true; count];
    for (target, weights) in plan.targets().iter().zip(weights.iter()) {
        let can_merge = match base.get(&weight_name(&target.site)) {
            Some(base) => target.module.delta(weights, base)?.is_some(),
            None => false,
        };
        if let (false, Some(method)) = (can_merge, mergeable.get_mut(target.method)) {
            *method = false;
        }
    }
    while spread(plan, &mut mergeable) {}
    Ok(mergeable)
}

/// The name of the parameter that a method at `site` is merged into.
fn weight_name(site: &Site) -> String {
    format!("{}.weight", site.path)
}

/// Unmarks the methods that share a site with a method that stays, and returns whether there were any.
fn spread(plan: &Plan, mergeable: &mut [bool]) -> bool {
    let stays = |mergeable: &[bool], method: usize| mergeable.get(method) == Some(&false);
    let mut changed = false;
    for target in plan.targets() {
        let shared =
            |other: &peft_core::TargetedModule| other.site.path == target.site.path && stays(mergeable, other.method);
        if !stays(mergeable, target.method) && plan.targets().iter().any(shared) {
            if let Some(method) = mergeable.get_mut(target.method) {
                *method = false;
            }
            changed = true;
        }
    }
    changed
}
