//! The methods of one forward pass, and how they act at a site.

use std::borrow::Cow;

use candle_core::Tensor;
use peft_kernels as ops;

use super::input::{Residual, SiteInput};
use super::layer::Layer;
use crate::{AdapterWeights, Ctx, Fused, KeyValuePrefix, Plan, Result, SiteId};

/// The methods that act in one forward pass, with their weights: one adapter, several in sequence, one for each row of the
/// batch, or none.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_core::toy::{Scale, toy_sites};
/// use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, SiteInput};
///
/// let sites = toy_sites(1, 2);
/// let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale::new(["q"]))];
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
/// let stacked = ActiveAdapters::stack([two.clone(), three.clone()]).apply(q, SiteInput::new(&y, y.clone()), &mut Ctx::eval())?;
/// assert_eq!(stacked.flatten_all()?.to_vec1::<f32>()?, [6., 30., 6., 30., 6., 30.]);
///
/// // The second on the first row, none on the second, the first on the third.
/// let mixed = ActiveAdapters::by_row(&[Some(1), None, Some(0)], &[two, three])?;
/// let mixed = mixed.apply(q, SiteInput::new(&y, y.clone()), &mut Ctx::eval())?;
/// assert_eq!(mixed.flatten_all()?.to_vec1::<f32>()?, [3., 15., 1., 5., 2., 10.]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ActiveAdapters<'a>(pub(super) Vec<Layer<'a>>);

impl<'a> ActiveAdapters<'a> {
    /// The bare backbone.
    pub fn none() -> Self {
        Self::default()
    }

    /// One adapter: `plan` with `weights`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) or [`Error::Mismatch`](crate::Error::Mismatch) if the weights
    /// were made for another plan.
    pub fn new(plan: &'a Plan, weights: impl Into<Cow<'a, AdapterWeights>>) -> Result<Self> {
        Ok(Self(vec![Layer::new(plan, weights.into())?]))
    }

    /// The part of an adapter that has weights: a target of `plan` for which `weights` holds an empty list does not act.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn partial(plan: &'a Plan, weights: impl Into<Cow<'a, AdapterWeights>>) -> Result<Self> {
        Ok(Self(vec![Layer::partial(plan, weights.into())?]))
    }

    /// The same with weights that [`ActiveAdapters::new`] has accepted before.
    pub(crate) fn trusted(plan: &'a Plan, weights: &'a AdapterWeights) -> Self {
        Self(vec![Layer::trusted(plan, Cow::Borrowed(weights))])
    }

    /// Several adapters on all rows. At each site they act in order, each on the output of the one before.
    pub fn stack(adapters: impl IntoIterator<Item = Self>) -> Self {
        Self(adapters.into_iter().flat_map(|active| active.0).collect())
    }

    /// The output of `site` after all methods that act there; `here.output` itself if none does.
    ///
    /// # Errors
    /// As the methods' own; [`Error::Mismatch`](crate::Error::Mismatch) if the adapters were chosen [by row](Self::by_row) for
    /// another number of rows.
    pub fn apply(&self, site: SiteId, mut here: SiteInput<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        for layer in &self.0 {
            here.output = layer.apply(site, &here, ctx)?;
        }
        Ok(here.output)
    }

    /// `x Wᵀ`, changed by the methods at `site`: [`peft_kernels::linear`], then [`apply`](Self::apply). If a low-rank branch is the
    /// only method there, both are one fused operation.
    ///
    /// `x [batch, length, d_in]` and `w [d_out, d_in]` give `[batch, length, d_out]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and if the shapes do not fit.
    pub fn linear(&self, site: SiteId, x: &Tensor, w: &Tensor, ctx: &mut Ctx) -> Result<Tensor> {
        if let Some(Fused::LowRank(branch)) = self.fused(site, ctx)? {
            return Ok(ops::linear_low_rank(x, w, &branch, ctx.kernels())?);
        }
        let y = ops::linear(x, w, ctx.kernels())?;
        self.apply(site, SiteInput::new(x, y).base(w), ctx)
    }

    /// The rows `ids` of an embedding table, changed by the methods at `site`: [`peft_kernels::embedding`], then
    /// [`apply`](Self::apply).
    ///
    /// `ids [batch, length]` (u32) and `table [rows, dim]` give `[batch, length, dim]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and if the shapes do not fit or there is no such row.
    pub fn embedding(&self, site: SiteId, ids: &Tensor, table: &Tensor, ctx: &mut Ctx) -> Result<Tensor> {
        let rows = ops::embedding(ids, table, ctx.kernels())?;
        self.apply(site, SiteInput::new(ids, rows).base(table), ctx)
    }

    /// The residual stream after a sub-layer: `h + Dropout(y')`, where `y'` is the sub-layer's output `y`, changed by the methods at
    /// `site`. If a bottleneck adapter is the only method there, this is one fused operation.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and if the shapes do not fit.
    pub fn residual(&self, site: SiteId, sum: Residual<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let Residual { h, y, dropout } = sum;
        if let Some(Fused::Bottleneck(adapter)) = self.fused(site, ctx)? {
            let adapter = ops::Bottleneck { dropout: ctx.dropout_key(dropout), ..adapter };
            return Ok(ops::bottleneck(h, &y, &adapter, ctx.kernels())?);
        }
        let y = self.apply(site, SiteInput::new(h, y), ctx)?;
        let key = ctx.dropout_key(dropout);
        Ok(ops::residual(h, &y, key, ctx.kernels())?)
    }

    /// What acts at `site` as data for a fused kernel, if it acts alone and on every row.
    fn fused(&self, site: SiteId, ctx: &mut Ctx) -> Result<Option<Fused<'_>>> {
        let mut acting = self.0.iter().flat_map(|layer| layer.at(site).map(move |here| (layer, here)));
        match (acting.next(), acting.next()) {
            (Some((layer, (target, weights))), None) if layer.rows().is_none() => target.module.fused(weights, ctx),
            _ => Ok(None),
        }
    }

    /// The prefixes that the methods at the key-value `site` put before keys and values, in the order in which
    /// [`apply`](Self::apply) adds them.
    pub fn prefixes(&self, site: SiteId) -> impl Iterator<Item = KeyValuePrefix> {
        self.0.iter().flat_map(move |layer| layer.at(site)).flat_map(|(target, _)| target.module.prefixes())
    }

    /// The same adapters with weights that are detached from the gradient graph.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(self.0.iter().map(Layer::detach).collect())
    }

    /// Whether no method acts at `site`.
    pub fn is_idle(&self, site: SiteId) -> bool {
        self.0.iter().all(|layer| layer.at(site).next().is_none())
    }
}
