//! One adapter of a forward pass: a plan, its weights, and the rows that use it.

use std::borrow::Cow;

use candle_core::Tensor;
use peft_kernels::transfer;

use super::input::SiteInput;
use super::rows::Rows;
use crate::{AdapterWeights, Ctx, Error, ParamSpec, Plan, Result, SiteCall, SiteId, SiteKind, TargetedModule};

/// One adapter: a plan and its weights.
#[derive(Debug, Clone)]
pub(super) struct Layer<'a> {
    plan: &'a Plan,
    weights: Cow<'a, AdapterWeights>,
    /// The rows that use it; `None` means all. Weights with a batch axis have one row for each of these rows.
    rows: Option<Rows>,
}

impl<'a> Layer<'a> {
    /// The same adapter, its weights cut off from the graph.
    pub(super) fn detach(&self) -> Self {
        Self { plan: self.plan, weights: Cow::Owned(self.weights.detach()), rows: self.rows.clone() }
    }

    /// An adapter that every row uses.
    pub(super) fn new(plan: &'a Plan, weights: Cow<'a, AdapterWeights>) -> Result<Self> {
        let adapter = Self::partial(plan, weights)?;
        let idle = plan.targets().iter().zip(adapter.weights.iter()).find(|(target, weights)| !acts(target, weights));
        if let Some((target, _)) = idle {
            return Err(wrong_number(target, 0));
        }
        Ok(adapter)
    }

    /// The part of an adapter that has weights.
    pub(super) fn partial(plan: &'a Plan, weights: Cow<'a, AdapterWeights>) -> Result<Self> {
        if weights.len() != plan.targets().len() {
            return Err(Error::Mismatch(format!(
                "the plan has {} targets, the weights are for {}",
                plan.targets().len(),
                weights.len()
            )));
        }
        let targets = plan.targets().iter().zip(weights.iter());
        targets
            .filter(|(target, weights)| acts(target, weights))
            .try_for_each(|(target, weights)| check(target, weights))?;
        Ok(Self::trusted(plan, weights))
    }

    /// The same for weights that are known to fit.
    pub(super) fn trusted(plan: &'a Plan, weights: Cow<'a, AdapterWeights>) -> Self {
        Self { plan, weights, rows: None }
    }

    /// The modules at `site`, with their weights.
    pub(super) fn at(&self, site: SiteId) -> impl Iterator<Item = (&TargetedModule, &[Tensor])> {
        let here = self.plan.at(site).iter();
        let targets =
            here.filter_map(|&e| self.plan.targets().get(e).map(|target| (target, self.weights.of_target(e))));
        targets.filter(|(target, weights)| acts(target, weights))
    }

    /// The rows that use it; `None` means all.
    pub(super) fn rows(&self) -> Option<&Rows> {
        self.rows.as_ref()
    }

    /// The output after the methods at `site`. Rows that do not use this adapter stay as they are.
    pub(super) fn apply(&self, site: SiteId, here: &SiteInput<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        if self.at(site).next().is_none() {
            return Ok(here.output.clone());
        }
        let Some(rows) = &self.rows else {
            return self.apply_all(site, here, ctx);
        };
        let input = rows.gather(here.input)?;
        let gathered = SiteInput { input: &input, base: here.base, output: rows.gather(&here.output)? };
        rows.scatter(&self.apply_all(site, &gathered, ctx)?, &here.output)
    }

    fn apply_all(&self, site: SiteId, here: &SiteInput<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let mut output = here.output.clone();
        for (target, weights) in self.at(site) {
            let call = SiteCall { input: here.input, output: &output, base: here.base, weights };
            output = target.module.apply(&call, ctx)?;
        }
        Ok(output)
    }

    /// The same adapter for those of its rows that are in `keep`, of a batch of `batch` rows; `None` if no row is left.
    pub(super) fn restrict(&self, keep: &[u32], batch: usize) -> Result<Option<Self>> {
        let rows = match &self.rows {
            Some(rows) => rows.clone(),
            None => Rows::all(batch)?,
        };
        rows.check(batch)?;
        self.check_batch(rows.len())?;
        let (places, rows) = rows.keep(keep);
        self.with(rows, &places)
    }

    /// The same adapter for the batch whose row `i` is row `index[i]` of this one; `None` if no row is left.
    pub(super) fn select(&self, index: &[u32]) -> Result<Option<Self>> {
        match &self.rows {
            Some(rows) => {
                let (places, rows) = rows.select(index)?;
                self.with(rows, &places)
            }
            None => Ok(Some(Self { plan: self.plan, weights: self.pick(index)?, rows: None })),
        }
    }

    fn with(&self, rows: Rows, places: &[u32]) -> Result<Option<Self>> {
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { plan: self.plan, weights: self.pick(places)?, rows: Some(rows) }))
    }

    /// The weights, with only the rows `rows` of those weights that have a batch axis.
    fn pick(&self, rows: &[u32]) -> Result<Cow<'a, AdapterWeights>> {
        let Some((_, first)) = self.batched().next() else {
            return Ok(self.weights.clone());
        };
        let index = transfer::upload(rows.to_vec(), rows.len(), first.device())?;
        let one = |(param, weight): (&ParamSpec, &Tensor)| -> Result<Tensor> {
            if weight.rank() == param.dims.len() {
                return Ok(weight.clone());
            }
            Ok(weight.contiguous()?.index_select(&index, 0)?)
        };
        let targets = self.plan.targets().iter().zip(self.weights.iter());
        let targets = targets.map(|(target, weights)| target.params.iter().zip(weights).map(one).collect());
        Ok(Cow::Owned(targets.collect::<Result<_>>().map(AdapterWeights::new)?))
    }

    /// Fails if a weight has a batch axis of another length than `rows`.
    fn check_batch(&self, rows: usize) -> Result<()> {
        match self.batched().find(|(_, weight)| weight.dim(0).ok() != Some(rows)) {
            None => Ok(()),
            Some((key, weight)) => Err(Error::Mismatch(format!(
                "{key}: expected weights for {rows} rows, found shape {:?}",
                weight.dims()
            ))),
        }
    }

    /// The weights that differ by row, with their names.
    pub(super) fn batched(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let targets = self.plan.targets().iter().zip(self.weights.iter());
        let weights = targets.flat_map(|(target, weights)| {
            target.params.iter().zip(weights).map(move |(param, weight)| (target, param, weight))
        });
        weights.filter(|(_, p, w)| w.rank() > p.dims.len()).map(|(target, p, w)| (target.key(p), w))
    }

    /// The first site where the adapter may put positions in front.
    pub(super) fn longer_site(&self) -> Option<&str> {
        let longer = |e: &&TargetedModule| matches!(e.site.kind, SiteKind::Input { .. } | SiteKind::KeyValue { .. });
        self.plan.targets().iter().find(longer).map(|target| target.site.path.as_str())
    }
}

/// Whether a target with these weights acts: not if it needs weights and has none.
fn acts(target: &TargetedModule, weights: &[Tensor]) -> bool {
    target.params.is_empty() || !weights.is_empty()
}

fn wrong_number(target: &TargetedModule, found: usize) -> Error {
    Error::Mismatch(format!("{}: the method needs {} weights, found {found}", target.site.path, target.params.len()))
}

/// Each weight has the shape of its spec, or that shape after one batch axis.
fn check(target: &TargetedModule, weights: &[Tensor]) -> Result<()> {
    if weights.len() != target.params.len() {
        return Err(wrong_number(target, weights.len()));
    }
    for (param, weight) in target.params.iter().zip(weights) {
        let dims = weight.dims();
        if dims != param.dims && dims.get(1..) != Some(&param.dims) {
            return Err(Error::ShapeMismatch {
                key: target.key(param),
                expected: param.dims.clone(),
                found: dims.to_vec(),
            });
        }
    }
    Ok(())
}
