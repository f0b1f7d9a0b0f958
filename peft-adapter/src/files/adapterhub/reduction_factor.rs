//! `reduction_factor`: one number, or one for each layer.

use std::collections::{BTreeMap, BTreeSet};

use peft_core::{Result, Sites};
use serde::Deserialize;

use super::fields::unsupported;
use crate::leave_out::all_layers;

/// One factor for all layers, or one for each by its number, with a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a number, or an object of numbers by layer")]
pub(super) enum ReductionFactor {
    All(f64),
    ByLayer(BTreeMap<String, f64>),
}

impl ReductionFactor {
    /// Each factor with the numbers of the layers that it does not hold for; those of `leave_out` have none.
    pub(super) fn with_leave_out(&self, leave_out: &[usize], sites: &Sites) -> Result<Vec<(f64, Vec<usize>)>> {
        let by_layer = match self {
            Self::All(factor) => return Ok(vec![(*factor, leave_out.to_vec())]),
            Self::ByLayer(by_layer) => by_layer,
        };
        let all = 0..all_layers(sites);
        let mut groups: Vec<(f64, BTreeSet<usize>)> = Vec::new();
        for layer in all.clone().filter(|layer| !leave_out.contains(layer)) {
            let given = by_layer.get(&layer.to_string()).or_else(|| by_layer.get("default"));
            let factor = *given.ok_or_else(|| {
                unsupported("reduction_factor", format!("has neither an entry for layer {layer} nor a \"default\""))
            })?;
            match groups.iter_mut().find(|(one, _)| *one == factor) {
                Some((_, layers)) => layers.extend([layer]),
                None => groups.push((factor, BTreeSet::from([layer]))),
            }
        }
        let others = |layers: BTreeSet<usize>| all.clone().filter(|layer| !layers.contains(layer)).collect();
        Ok(groups.into_iter().map(|(factor, layers)| (factor, others(layers))).collect())
    }
}
