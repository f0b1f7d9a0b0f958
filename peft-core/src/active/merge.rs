//! What folds into the backbone's weights, why the rest does not, and the way back.

use candle_core::{DType, Tensor};

use super::Active;
use crate::{Entry, Result, SiteId, SiteKind};

/// Whether the methods at a site became part of its weight.
#[derive(Debug, Clone)]
pub enum Merge {
    /// They did: the new weight.
    Weight(Tensor),
    /// One of them cannot: which one, and why. None of them is merged then, since the order in which they act counts.
    Refused(String),
}

impl Active<'_> {
    /// `W + ΔW` of a linear site (or of a norm) whose methods all fold into the weight (`base` itself where none acts),
    /// or the reason of the first one that cannot.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge(&self, site: SiteId, base: &Tensor) -> Result<Merge> {
        let mut merged = base.clone();
        for (entry, weights, some_rows) in self.entries(site) {
            if let Some(reason) = obstacle(entry, weights, some_rows) {
                return Ok(Merge::Refused(refusal(entry, &reason)));
            }
            match entry.module.delta(weights, &merged)? {
                Some(delta) => merged = (merged + delta)?,
                None => return Ok(Merge::Refused(refusal(entry, "its effect is no change ΔW of the weight"))),
            }
        }
        Ok(Merge::Weight(merged))
    }

    /// `W` of a site whose weight is `merged`, `W + ΔW` as [`merge`](Self::merge) made it of the same methods.
    ///
    /// That takes a `ΔW` that can be computed without `W`. Whether it can is seen by asking for the `ΔW` of two different
    /// weights, which must be the same to the bit.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn unmerge(&self, site: SiteId, merged: &Tensor) -> Result<Merge> {
        let mut base = merged.clone();
        let other = (merged * 2.)?;
        for (entry, weights, some_rows) in self.entries(site) {
            let deltas = match obstacle(entry, weights, some_rows) {
                Some(_) => None,
                None => entry.module.delta(weights, merged)?.zip(entry.module.delta(weights, &other)?),
            };
            let Some((delta, again)) = deltas else {
                return Ok(Merge::Refused(refusal(entry, "it was never merged")));
            };
            if !same(&delta, &again)? {
                let reason = "its ΔW depends on the weight that it was merged into; keep that weight";
                return Ok(Merge::Refused(refusal(entry, reason)));
            }
            base = (base - delta)?;
        }
        Ok(Merge::Weight(base))
    }

    /// [`merge`](Self::merge) without the reason: `None` where a method cannot be folded.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn fold(&self, site: SiteId, base: &Tensor) -> Result<Option<Tensor>> {
        Ok(match self.merge(site, base)? {
            Merge::Weight(weight) => Some(weight),
            Merge::Refused(_) => None,
        })
    }

    /// Why the first method at `site` cannot be merged where the site has no weight; `None` where none acts.
    pub fn refuse(&self, site: SiteId) -> Option<String> {
        let (entry, weights, some_rows) = self.entries(site).next()?;
        let reason =
            obstacle(entry, weights, some_rows).unwrap_or_else(|| "the backbone has no weight there".to_owned());
        Some(refusal(entry, &reason))
    }

    /// The entries at `site` in the order in which they act, with their weights and whether only some rows use them.
    fn entries(&self, site: SiteId) -> impl Iterator<Item = (&Entry, &[Tensor], bool)> {
        self.0.iter().flat_map(move |layer| layer.at(site).map(|(e, w)| (e, w, layer.rows().is_some())))
    }
}

/// What keeps a method out of the weight, whatever its `ΔW`.
fn obstacle(entry: &Entry, weights: &[Tensor], some_rows: bool) -> Option<String> {
    let reason = match entry.site.kind {
        SiteKind::Hidden { .. } => "it acts on the output of a sub-layer, which is no linear map and has no weight",
        SiteKind::Input { .. } => "it acts on the embedded input, which has no weight",
        SiteKind::KeyValue { .. } => "it acts on keys and values, which have no weight",
        _ if some_rows => "it acts on some rows of the batch only",
        _ if weights.iter().zip(&entry.params).any(|(w, p)| w.rank() != p.dims.len()) => {
            "its weights differ by row of the batch"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

fn refusal(entry: &Entry, reason: &str) -> String {
    format!("{} at {} cannot be merged into a weight: {reason}", entry.peft_type, entry.site.path)
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.dims() != b.dims() {
        return Ok(false);
    }
    Ok(a.ne(b)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()? == 0)
}
