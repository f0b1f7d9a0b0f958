//! What a forward pass receives: a plan and the weights for it.

use std::borrow::Cow;

use candle_core::Tensor;

use crate::{Ctx, Entry, Error, Plan, Result, SiteCall, SiteId, WeightBank};

/// The methods that are active in one forward pass, with their weights: one adapter, a stack of several, or none.
#[derive(Debug, Clone)]
pub struct Active<'a>(Vec<Layer<'a>>);

/// One adapter: a plan and its weights.
#[derive(Debug, Clone)]
struct Layer<'a> {
    plan: &'a Plan,
    bank: Cow<'a, WeightBank>,
}

impl<'a> Active<'a> {
    /// The bare backbone.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// `plan` with the weights of `bank`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::Mismatch`] if the bank was made for another plan.
    pub fn new(plan: &'a Plan, bank: impl Into<Cow<'a, WeightBank>>) -> Result<Self> {
        let bank = bank.into();
        if bank.len() != plan.entries().len() {
            return Err(Error::Mismatch(format!(
                "the plan has {} entries, the bank weights for {}",
                plan.entries().len(),
                bank.len()
            )));
        }
        for (entry, weights) in plan.entries().iter().zip(bank.iter()) {
            check(entry, weights)?;
        }
        Ok(Self(vec![Layer { plan, bank }]))
    }

    /// The output of `site`, after every method that acts there; `output` itself where none does.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn apply(
        &self,
        site: SiteId,
        input: &Tensor,
        base: Option<&Tensor>,
        mut output: Tensor,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        for layer in &self.0 {
            for (entry, weights) in layer.at(site) {
                let call = SiteCall { input, output: &output, base, weights };
                output = entry.module.apply(&call, ctx)?;
            }
        }
        Ok(output)
    }

    /// Whether no method acts at `site`.
    pub fn is_idle(&self, site: SiteId) -> bool {
        self.0.iter().all(|layer| layer.plan.at(site).is_empty())
    }

    /// `W + ΔW` of a linear site (or of a norm) whose methods all fold into the weight (`base` itself where none acts),
    /// or `None` if one of them cannot, or if the weights differ by row.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn fold(&self, site: SiteId, base: &Tensor) -> Result<Option<Tensor>> {
        let mut folded = base.clone();
        for (entry, weights) in self.0.iter().flat_map(|layer| layer.at(site)) {
            let per_row = weights.iter().zip(&entry.params).any(|(w, p)| w.rank() != p.dims.len());
            let delta = if per_row { None } else { entry.module.delta(weights, &folded)? };
            match delta {
                Some(delta) => folded = (folded + delta)?,
                None => return Ok(None),
            }
        }
        Ok(Some(folded))
    }
}

impl Layer<'_> {
    /// The entries at `site`, with their weights.
    fn at(&self, site: SiteId) -> impl Iterator<Item = (&Entry, &[Tensor])> {
        let here = self.plan.at(site).iter();
        here.filter_map(|&e| self.plan.entries().get(e).map(|entry| (entry, self.bank.entry(e))))
    }
}

/// Each weight has the shape of its spec, or that shape behind one batch axis.
fn check(entry: &Entry, weights: &[Tensor]) -> Result<()> {
    if weights.len() != entry.params.len() {
        return Err(Error::Mismatch(format!(
            "{}: the method needs {} weights, the bank has {}",
            entry.site.path,
            entry.params.len(),
            weights.len()
        )));
    }
    for (param, weight) in entry.params.iter().zip(weights) {
        let dims = weight.dims();
        if dims != param.dims && dims.get(1..) != Some(&param.dims) {
            return Err(Error::ShapeMismatch {
                key: entry.key(param),
                expected: param.dims.clone(),
                found: dims.to_vec(),
            });
        }
    }
    Ok(())
}
