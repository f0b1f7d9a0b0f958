//! A model that is built again with `W + ΔW` in its weights.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;

use super::base::Base;
use super::place::{bias_of, module_of_bias, site_of, weight_of};
use super::record::{Recording, record};
use super::source::IntoVarBuilder;
use crate::{ActiveAdapters, Ctx, Error, Merge, Result, Site, SiteId, Sites};

/// Builds a model from its weights.
type Build<M> = dyn Fn(VarBuilder<'_>) -> candle_core::Result<M> + Send + Sync;

/// The loss of a model for a batch.
type Loss<M, B> = dyn Fn(M, &B, &mut Ctx) -> candle_core::Result<Tensor> + Send + Sync;

/// The batch of a wrapped model without a [loss](Wrapped::loss). It has no values, so such a model cannot be trained by mistake.
#[derive(Debug, Clone, Copy)]
pub enum NoLoss {}

/// A model written for candle, as a backbone. Its code stays as it is: all that is asked of it is to load from a [`VarBuilder`].
///
/// `M` is the model, `B` the batch of its loss. [`PeftModel::wrap`](crate::PeftModel::wrap) is the short way to one with methods.
///
/// # How it works
///
/// The model is built once, with a `VarBuilder` that notes what it asks for. The weights of its linear maps, norms and tables of
/// embeddings are its [sites](crate::Sites). A site's path is the module's name in the checkpoint, as in Python's `peft`. The first
/// number in a path is the layer, what is before it the stack, what follows the role: `bert.encoder.layer`, 3 and
/// `attention.self.query`. Modules in no layer belong to the stack `outside`.
///
/// For each loss, the model is built again with `b + Δb` and `W + ΔW` in place of `b` and `W`
/// ([`PeftModule::delta`](crate::PeftModule::delta)). Both are part of the gradient graph, so that a backward pass reaches the weights
/// of the methods, or the hypernetwork that generates them. All other weights are shared.
///
/// # What it costs
///
/// Building again copies no weight: it costs `ΔW` and the sum, `d_in · d_out · (r + 1)` multiplications and additions for LoRA, and
/// memory for `W + ΔW` and its gradient while the graph lives. A backbone that calls its sites has neither, and computes the low-rank
/// branch in one kernel with the linear map.
///
/// # What it cannot do
///
/// - Methods that act on activations (bottleneck adapters, prefixes, prompts) are refused, with
///   [`Error::ActsOnActivations`], and so are methods without a `ΔW`, such as gated ones. Dropout in LoRA's branch is refused in
///   training; put it into the model. A model that implements [`Backbone`](crate::Backbone) and calls its sites can do all of that.
/// - The rows of a batch have the same weights: one task a batch.
/// - A weight that the model uses twice (a tied output projection) changes in both places.
/// - Weights without the name `weight`, convolutions, and matrices that are stored transposed are no sites, or not the right ones.
///   [`train_backbone`](crate::PeftModelBuilder::train_backbone) trains any weight.
///
/// The gradients of a wrapped model are those of its own operations. Some operations of candle-nn 0.11 cut the gradient without an
/// error. Check them before the first step, or write the model with `peft_kernels::nn`.
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::{Linear, VarBuilder, linear};
/// use peft_core::toy::Scale;
/// use peft_core::{ActiveAdapters, ParamStore, PeftModel, Wrapped};
///
/// // Weights: here seeded random ones; usually a folder or a file.
/// let weights = ParamStore::new(7, &Device::Cpu).var_builder();
/// let build = |vb: VarBuilder<'_>| linear(4, 2, vb.pp("layers").pp(0).pp("up"));
/// let wrapped = Wrapped::new(weights, build)?;
/// let model = PeftModel::builder(wrapped).method(Scale::new(["up"])).build()?;
///
/// let x = Tensor::ones((1, 4), DType::F32, &Device::Cpu)?;
/// let adapted: Linear = model.adapted("default")?;
/// let own = model.backbone().build(&ActiveAdapters::none())?;
/// // A scale of one changes nothing.
/// assert_eq!(adapted.forward(&x)?.to_vec2::<f32>()?, own.forward(&x)?.to_vec2::<f32>()?);
/// # Ok::<(), peft_core::Error>(())
/// ```
pub struct Wrapped<M, B = NoLoss> {
    pub(super) base: Arc<Base>,
    pub(super) sites: Arc<Sites>,
    /// The sites whose methods were merged into the weights. They do not act there again.
    pub(super) merged: BTreeSet<usize>,
    build: Arc<Build<M>>,
    loss: Arc<Loss<M, B>>,
}

/// What the methods at a site do to the module's weights.
pub(super) enum Change {
    /// The new weights by name.
    Weights(Vec<(String, Tensor)>),
    /// Why they are no change of a weight.
    Refused(String),
}

impl<M> Wrapped<M> {
    /// The model that `build` makes of `weights`.
    ///
    /// # Errors
    /// [`Error::File`] if the weights cannot be read; as `build`.
    pub fn new<'a>(
        weights: impl IntoVarBuilder<'a>,
        build: impl Fn(VarBuilder<'_>) -> candle_core::Result<M> + Send + Sync + 'static,
    ) -> Result<Self> {
        let name = weights.name();
        let vb = weights.into_var_builder()?;
        let (dtype, device) = (vb.dtype(), vb.device().clone());
        let Recording { weights: asked, has } = record(vb, |vb| build(vb).map(drop))?;
        let (mut weights, mut sites) = (BTreeMap::new(), Vec::new());
        for asked in asked {
            if weights.insert(asked.name.clone(), asked.weight.clone()).is_none() {
                sites.extend(site_of(&asked.name, &asked.weight, asked.init));
            }
        }
        let biased: BTreeSet<&str> = weights.keys().filter_map(|name| module_of_bias(name)).collect();
        let mut named = Sites::default();
        for site in sites {
            let bias = biased.contains(site.path.as_str());
            named.add(Site { bias, ..site });
        }
        Ok(Self {
            base: Arc::new(Base { weights, has, dtype, device, name }),
            sites: Arc::new(named),
            merged: BTreeSet::new(),
            build: Arc::new(build),
            loss: Arc::new(|_, batch: &NoLoss, _| match *batch {}),
        })
    }
}

impl<M, B> Wrapped<M, B> {
    /// Sets the loss that is trained for: a scalar for the model, with the methods in its weights, and a batch.
    ///
    /// The model is built for each call, so it may change itself, as models with caches do. The context tells whether this is training.
    pub fn loss<C>(
        self,
        loss: impl Fn(M, &C, &mut Ctx) -> candle_core::Result<Tensor> + Send + Sync + 'static,
    ) -> Wrapped<M, C> {
        let Self { base, sites, merged, build, .. } = self;
        Wrapped { base, sites, merged, build, loss: Arc::new(loss) }
    }

    /// The model with the methods of `active` in its weights.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a method that is no change of a weight, or whose weights differ by row of the batch; as the model's own.
    pub fn build(&self, active: &ActiveAdapters<'_>) -> Result<M> {
        let mut changed = BTreeMap::new();
        for (id, site) in self.acting(active) {
            match self.change(id, site, active)? {
                Change::Weights(weights) => changed.extend(weights),
                Change::Refused(reason) => return Err(no_change(&reason)),
            }
        }
        Ok((self.build)(self.base.var_builder(changed))?)
    }

    /// The same model with other weights.
    pub(super) fn with_base(self, base: Base) -> Self {
        Self { base: Arc::new(base), ..self }
    }

    /// The loss of `model`.
    pub(super) fn loss_of(&self, model: M, batch: &B, ctx: &mut Ctx) -> Result<Tensor> {
        Ok((self.loss)(model, batch, ctx)?)
    }

    /// The sites where methods act, without those whose methods were merged.
    pub(super) fn acting(&self, active: &ActiveAdapters<'_>) -> impl Iterator<Item = (SiteId, &Site)> {
        let acts = |id: SiteId| !active.is_idle(id) && !self.merged.contains(&id.index());
        self.sites.ids().filter(move |(id, _)| acts(*id))
    }

    /// `W + ΔW` and `b + Δb` of one site.
    pub(super) fn change(&self, id: SiteId, site: &Site, active: &ActiveAdapters<'_>) -> Result<Change> {
        let mut changed = Vec::new();
        let (weight, bias) = (weight_of(&site.path), bias_of(&site.path));
        if let Some(base) = self.base.weights.get(&weight) {
            // The weights of methods are f32, whatever the model's are.
            match active.merge(id, &base.to_dtype(DType::F32)?)? {
                Merge::Weight(value) => changed.push((weight, value.to_dtype(base.dtype())?)),
                Merge::Refused(reason) => return Ok(Change::Refused(reason)),
            }
        }
        if let Some(base) = self.base.weights.get(&bias) {
            let value = active.merge_bias(id, &base.to_dtype(DType::F32)?)?;
            changed.push((bias, value.to_dtype(base.dtype())?));
        }
        Ok(Change::Weights(changed))
    }
}

/// The error for methods that a wrapped model cannot have in its weights.
fn no_change(reason: &str) -> Error {
    Error::Mismatch(format!(
        "{reason}; a wrapped model has methods in its weights only, so take one that is a change of a weight, or a backbone that \
         calls its sites"
    ))
}

impl<M, B> Clone for Wrapped<M, B> {
    fn clone(&self) -> Self {
        let Self { base, sites, merged, build, loss } = self;
        let (base, sites, merged) = (base.clone(), sites.clone(), merged.clone());
        Self { base, sites, merged, build: build.clone(), loss: loss.clone() }
    }
}

impl<M, B> fmt::Debug for Wrapped<M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = self.base.weights.iter().map(|(name, weight)| (name, weight.shape()));
        f.debug_struct("Wrapped")
            .field("model", &std::any::type_name::<M>())
            .field("weights", &weights.collect::<BTreeMap<_, _>>())
            .field("merged", &self.merged)
            .finish_non_exhaustive()
    }
}
