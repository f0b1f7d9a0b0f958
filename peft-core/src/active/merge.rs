//! Merges methods into the backbone's weights, says why one cannot be merged, and undoes it.

use candle_core::{DType, Tensor};
use peft_kernels::transfer;

use super::stack::ActiveAdapters;
use crate::{Error, Result, SiteId, SiteKind, TargetedModule};

/// Whether the methods at a site became part of its weight.
#[derive(Debug, Clone)]
pub enum Merge {
    /// They did: this is the new weight.
    Weight(Tensor),
    /// One of them cannot be merged: this is the reason. Then none of them is merged, because the order in which they act matters.
    Refused(String),
}

impl Merge {
    /// The new weight, or `None` if a method cannot be merged.
    pub fn weight(self) -> Option<Tensor> {
        match self {
            Self::Weight(weight) => Some(weight),
            Self::Refused(_) => None,
        }
    }
}

impl ActiveAdapters<'_> {
    /// The weight of a linear map or a norm with all methods at its `site` merged: `W + ΔW`. It is `base` itself where no
    /// method acts. If a method cannot be merged, the result is the reason of the first such method.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge(&self, site: SiteId, base: &Tensor) -> Result<Merge> {
        let mut merged = base.clone();
        for (target, weights, some_rows) in self.targets(site) {
            if let Some(reason) = obstacle(target, weights, some_rows) {
                return Ok(Merge::Refused(refusal(target, &reason)));
            }
            match target.module.delta(weights, &merged)? {
                Some(delta) => merged = (merged + delta)?,
                None => return Ok(Merge::Refused(refusal(target, "it has no weight delta"))),
            }
        }
        Ok(Merge::Weight(merged))
    }

    /// The bias of a linear map or a norm with all methods at its `site`: `b + Δb`. It is `bias` itself where no method changes it.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where [`merge`](Self::merge) refuses: the bias belongs to that weight; as the methods' own.
    pub fn merge_bias(&self, site: SiteId, bias: &Tensor) -> Result<Tensor> {
        let mut merged = bias.clone();
        for (target, weights, some_rows) in self.targets(site) {
            if let Some(reason) = obstacle(target, weights, some_rows) {
                return Err(Error::Mismatch(refusal(target, &reason)));
            }
            if let Some(delta) = target.module.delta_bias(weights, &merged)? {
                merged = (merged + delta)?;
            }
        }
        Ok(merged)
    }

    /// The first method at `site` that drops parts of its input in training, and with which probability.
    pub fn dropout(&self, site: SiteId) -> Option<(&'static str, f64)> {
        let drops = |(target, ..): (&TargetedModule, _, _)| (target.peft_type, target.module.dropout());
        self.targets(site).map(drops).find(|(_, p)| *p > 0.)
    }

    /// Undoes [`merge`](Self::merge): `W` from `merged`, which is `W + ΔW`.
    ///
    /// This is only possible if `ΔW` does not depend on `W`. To check that, each method computes `ΔW` for two different weights,
    /// and the two must be equal bit by bit.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn unmerge(&self, site: SiteId, merged: &Tensor) -> Result<Merge> {
        let mut base = merged.clone();
        let other = (merged * 2.)?;
        for (target, weights, some_rows) in self.targets(site) {
            let deltas = match obstacle(target, weights, some_rows) {
                Some(_) => None,
                None => target.module.delta(weights, merged)?.zip(target.module.delta(weights, &other)?),
            };
            let Some((delta, again)) = deltas else {
                return Ok(Merge::Refused(refusal(target, "it was never merged")));
            };
            if !same(&delta, &again)? {
                let reason = "its ΔW depends on the weight that it was merged into; keep that weight";
                return Ok(Merge::Refused(refusal(target, reason)));
            }
            base = (base - delta)?;
        }
        Ok(Merge::Weight(base))
    }

    /// Why the first method at a `site` without a weight cannot be merged; `None` if no method acts there.
    pub fn merge_refusal(&self, site: SiteId) -> Option<String> {
        let (target, weights, some_rows) = self.targets(site).next()?;
        let reason =
            obstacle(target, weights, some_rows).unwrap_or_else(|| "the backbone has no weight there".to_owned());
        Some(refusal(target, &reason))
    }

    /// The modules at `site` in the order in which they act, each with its weights and whether only some rows use it.
    fn targets(&self, site: SiteId) -> impl Iterator<Item = (&TargetedModule, &[Tensor], bool)> {
        self.0.iter().flat_map(move |layer| layer.at(site).map(|(e, w)| (e, w, layer.rows().is_some())))
    }
}

/// Why a method cannot be merged, whatever its `ΔW` is.
fn obstacle(target: &TargetedModule, weights: &[Tensor], some_rows: bool) -> Option<String> {
    let reason = match target.site.kind {
        SiteKind::SubLayer { .. } => "it acts on the output of a sub-layer, which is no linear map and has no weight",
        SiteKind::Input { .. } => "it acts on the embedded input, which has no weight",
        SiteKind::KeyValue { .. } => "it acts on keys and values, which have no weight",
        _ if some_rows => "it acts on some rows of the batch only",
        _ if weights.iter().zip(&target.params).any(|(w, p)| w.rank() != p.dims.len()) => {
            "its weights differ by row of the batch"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

fn refusal(target: &TargetedModule, reason: &str) -> String {
    format!("{} at {} cannot be merged into a weight: {reason}", target.peft_type, target.site.path)
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.dims() != b.dims() {
        return Ok(false);
    }
    Ok(transfer::download_scalar::<u32>(&a.ne(b)?.to_dtype(DType::U32)?.sum_all()?)? == 0)
}
