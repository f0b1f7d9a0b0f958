//! What a forward pass receives: plans and the weights for them.
//!
//! - `layer`: one adapter of a forward pass, and how it acts at a site.
//! - `rows`: rows of a batch that use different adapters, and weights that follow their rows.
//! - `merge`: what folds into the backbone's weights, why the rest does not, and the way back.

mod layer;
mod merge;
mod rows;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use candle_core::Tensor;

use crate::{AdapterWeights, Ctx, LowRankBranch, Plan, Result, SiteId, TargetedModule};
use peft_kernels::{self as ops, LowRank};

use layer::Layer;

pub use merge::Merge;

/// The methods that are active in one forward pass, with their weights: one adapter, a stack of several, one for each row
/// of the batch, or none.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_core::toy::{Scale, toy_sites};
/// use peft_core::{ActiveAdapters, Ctx, PeftConfig, Plan, TargetModules, AdapterWeights};
///
/// let sites = toy_sites(1, 2);
/// let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale { target_modules: TargetModules::suffixes(["q"]) })];
/// let plan = Plan::resolve(&sites, &methods)?;
/// let by = |factor: f32| -> Result<ActiveAdapters<'_>, Box<dyn std::error::Error>> {
///     let weights = vec![vec![Tensor::new(&[factor, factor], &Device::Cpu)?]];
///     Ok(ActiveAdapters::new(&plan, AdapterWeights::new(weights))?)
/// };
/// let (two, three) = (by(2.)?, by(3.)?);
/// let q = sites.find("layers.0.q").ok_or("no such site")?;
/// let y = Tensor::new(&[[[1f32, 5.]], [[1., 5.]], [[1., 5.]]], &Device::Cpu)?;
///
/// // Both on all rows, one after the other.
/// let stacked = ActiveAdapters::stack([two.clone(), three.clone()]).apply(q, &y, None, y.clone(), &mut Ctx::eval())?;
/// assert_eq!(stacked.flatten_all()?.to_vec1::<f32>()?, [6., 30., 6., 30., 6., 30.]);
///
/// // The second on the first row, none on the second, the first on the third.
/// let mixed = ActiveAdapters::by_row(&[Some(1), None, Some(0)], &[two, three])?;
/// let mixed = mixed.apply(q, &y, None, y.clone(), &mut Ctx::eval())?;
/// assert_eq!(mixed.flatten_all()?.to_vec1::<f32>()?, [3., 15., 1., 5., 2., 10.]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ActiveAdapters<'a>(Vec<Layer<'a>>);

impl<'a> ActiveAdapters<'a> {
    /// The bare backbone.
    pub fn none() -> Self {
        Self::default()
    }

    /// `plan` with the weights of `weights`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) or [`Error::Mismatch`](crate::Error::Mismatch) if the weights
    /// was made for another plan.
    pub fn new(plan: &'a Plan, weights: impl Into<Cow<'a, AdapterWeights>>) -> Result<Self> {
        Ok(Self(vec![Layer::new(plan, weights.into())?]))
    }

    /// `plan` with a weights that [`ActiveAdapters::new`] has accepted before.
    pub(crate) fn trusted(plan: &'a Plan, weights: &'a AdapterWeights) -> Self {
        Self(vec![Layer::trusted(plan, Cow::Borrowed(weights))])
    }

    /// Several adapters on all rows: at each site the first acts first, and the next one on its output.
    pub fn stack(adapters: impl IntoIterator<Item = Self>) -> Self {
        Self(adapters.into_iter().flat_map(|active| active.0).collect())
    }

    /// The output of `site`, after every method that acts there; `output` itself where none does.
    ///
    /// # Errors
    /// As the methods' own; [`Error::Mismatch`](crate::Error::Mismatch) if the batch has another number of rows than
    /// [`by_row`](Self::by_row) was given.
    pub fn apply(
        &self,
        site: SiteId,
        input: &Tensor,
        base: Option<&Tensor>,
        mut output: Tensor,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        for layer in &self.0 {
            output = layer.apply(site, input, base, output, ctx)?;
        }
        Ok(output)
    }

    /// `x Wᵀ` and what the methods at its `site` make of it: [`ops::linear`](peft_kernels::linear) followed by
    /// [`apply`](Self::apply), as one operation where a low-rank branch is all that acts there.
    ///
    /// `x [batch, length, d_in]` and `w [d_out, d_in]` give `[batch, length, d_out]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and if the shapes do not fit.
    pub fn linear(&self, site: SiteId, x: &Tensor, w: &Tensor, ctx: &mut Ctx) -> Result<Tensor> {
        let branch = self.alone(site).map(|(target, weights)| target.module.low_rank(weights)).transpose()?;
        let Some(LowRankBranch { a, b, scaling, dropout }) = branch.flatten() else {
            let y = ops::linear(x, w, ctx.kernels())?;
            return self.apply(site, x, Some(w), y, ctx);
        };
        let branch = LowRank { a, b, scaling, dropout: ctx.dropout_key(dropout) };
        Ok(ops::linear_low_rank(x, w, &branch, ctx.kernels())?)
    }

    /// The residual stream behind a sub-layer: `h + Dropout(y)` with what the methods at the hidden `site` make of `y`, as
    /// one operation where a bottleneck adapter is all that acts there.
    ///
    /// `h` and `y` are `[batch, length, dim]`; `dropout` is the backbone's own probability.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and if the shapes do not fit.
    pub fn residual(&self, site: SiteId, h: &Tensor, y: Tensor, dropout: f64, ctx: &mut Ctx) -> Result<Tensor> {
        let adapter = self.alone(site).map(|(target, weights)| target.module.bottleneck(weights)).transpose()?;
        if let Some(adapter) = adapter.flatten() {
            let adapter = ops::Bottleneck { dropout: ctx.dropout_key(dropout), ..adapter };
            return Ok(ops::bottleneck(h, &y, &adapter, ctx.kernels())?);
        }
        let y = self.apply(site, h, None, y, ctx)?;
        let key = ctx.dropout_key(dropout);
        Ok(ops::residual(h, &y, key, ctx.kernels())?)
    }

    /// What acts at `site`, if it acts alone and on every row.
    fn alone(&self, site: SiteId) -> Option<(&TargetedModule, &[Tensor])> {
        let mut acting = self.0.iter().flat_map(|layer| layer.at(site).map(move |here| (layer, here)));
        match (acting.next(), acting.next()) {
            (Some((layer, here)), None) if layer.rows().is_none() => Some(here),
            _ => None,
        }
    }

    /// Whether no method acts at `site`.
    pub fn is_idle(&self, site: SiteId) -> bool {
        self.0.iter().all(|layer| layer.at(site).next().is_none())
    }
}
