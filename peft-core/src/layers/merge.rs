//! Merges methods into the parameters of a model, and undoes it.

use std::collections::BTreeMap;

use super::weight::Weight;
use crate::{ActiveAdapters, Refusal, Result, Sites};

/// Puts `W + ΔW` in place of `W` in each of `weights` where all methods can be merged, and cuts all values off from the graph. Methods
/// are not called again at the merged weights. The result lists the sites where a method acts that was not merged, with the reason.
///
/// `weights` are all parameters of a model with these `sites`. [`Backbone::merge_and_unload`](crate::Backbone::merge_and_unload) is
/// this on a copy of the model.
///
/// # Errors
/// As the methods' own.
pub fn merge_weights<'w>(
    weights: impl IntoIterator<Item = &'w mut Weight>,
    sites: &Sites,
    active: &ActiveAdapters<'_>,
) -> Result<Vec<Refusal>> {
    let mut outcomes = BTreeMap::new();
    for weight in weights {
        if let Some(site) = weight.site {
            let outcome = match active.is_idle(site) {
                true => None,
                false => weight.replace(active.merge(site, &weight.wide()?)?, None)?,
            };
            outcomes.insert(site.index(), outcome);
        }
        weight.value = weight.value.detach();
    }
    let mut refused = Vec::new();
    for (id, site) in sites.ids().filter(|(id, _)| !active.is_idle(*id)) {
        let reason = match outcomes.remove(&id.index()) {
            Some(outcome) => outcome,
            None if site.kind.has_weight() => Some(format!(
                "the weight of {} holds what was merged before, so that methods no longer act there; merge into the model from \
                 before that merge",
                site.path
            )),
            None => active.merge_refusal(id),
        };
        refused.extend(reason.map(|reason| Refusal { site: site.path.clone(), reason }));
    }
    Ok(refused)
}

/// Undoes [`merge_weights`]: `W' - ΔW` in each of `weights` that methods were merged into, where `active` holds these methods. Methods
/// act there again. The result lists the sites that stay merged, with the reason.
///
/// # Errors
/// As the methods' own.
pub fn unmerge_weights<'w>(
    weights: impl IntoIterator<Item = &'w mut Weight>,
    sites: &Sites,
    active: &ActiveAdapters<'_>,
) -> Result<Vec<Refusal>> {
    let mut refused = BTreeMap::new();
    for weight in weights.into_iter().filter(|weight| weight.site.is_none()) {
        let Some(path) = weight.name.strip_suffix(".weight").map(str::to_owned) else { continue };
        let Some(site) = sites.find(&path) else { continue };
        let reason = match active.is_idle(site) {
            true => Some(format!("{path} stays merged: it was merged with methods that are not active")),
            false => weight.replace(active.unmerge(site, &weight.wide()?)?, Some(site))?,
        };
        if let Some(reason) = reason {
            refused.insert(site.index(), Refusal { site: path, reason });
        }
    }
    Ok(refused.into_values().collect())
}
