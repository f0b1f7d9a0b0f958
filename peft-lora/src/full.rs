//! A module that trains completely: `modules_to_save`, and layer-norm tuning.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, Error, ParamSpec, PeftModule, Result, Site, SiteCall, SiteKind, rows};
use peft_kernels as ops;

use crate::embedding::lookup;

/// The names of a module's increments, relative to the site, and what files of `peft` call the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaNames {
    /// The increment of the weight.
    pub weight: &'static str,
    /// The increment of the bias.
    pub bias: &'static str,
    /// `W + ΔW` in files.
    pub(crate) saved_weight: &'static str,
    /// `b + Δb` in files.
    pub(crate) saved_bias: &'static str,
}

impl DeltaNames {
    /// Those of `modules_to_save`.
    pub const MODULES_TO_SAVE: Self = Self {
        weight: "modules_to_save.weight_delta",
        bias: "modules_to_save.bias_delta",
        saved_weight: "weight",
        saved_bias: "bias",
    };
    /// Those of layer-norm tuning.
    pub const LN_TUNING: Self = Self {
        weight: "ln_tuning.delta",
        bias: "ln_tuning.bias_delta",
        saved_weight: "ln_tuning_layers.weight",
        saved_bias: "ln_tuning_layers.bias",
    };
}

/// `y = x (W + ΔW)ᵀ` at a linear map, `y = x̂ ⊙ (w + Δw)` at a norm, rows of `E + ΔE` at a table of embeddings, and `b + Δb` where
/// the module has a bias. The increments start at zero.
#[derive(Debug)]
pub struct WeightDelta {
    names: DeltaNames,
    kind: SiteKind,
    dims: Vec<usize>,
    /// The length of the bias, if there is one.
    bias: Option<usize>,
}

impl WeightDelta {
    /// The increments for the weight and the bias of `site`, if it has a weight.
    pub fn at(site: &Site, names: DeltaNames) -> Option<Self> {
        let (dims, outputs) = match site.kind {
            SiteKind::Linear { d_in, d_out } => (vec![d_out, d_in], d_out),
            SiteKind::Norm { dim } => (vec![dim], dim),
            SiteKind::Embedding { rows, dim } => (vec![rows, dim], dim),
            _ => return None,
        };
        Some(Self { names, kind: site.kind, dims, bias: site.bias.then_some(outputs) })
    }

    /// The module for `site` if one of the `modules` that a configuration saves names it.
    pub fn saved(modules: &[String], site: &Site) -> Option<Self> {
        let named = |name: &String| {
            site.path.strip_suffix(name.as_str()).is_some_and(|rest| {
                // `layer_norm` means `final_layer_norm` too, as in `peft`.
                rest.is_empty() || rest.ends_with('.') || rest.ends_with('_')
            })
        };
        modules.iter().any(named).then(|| Self::at(site, DeltaNames::MODULES_TO_SAVE)).flatten()
    }
}

impl PeftModule for WeightDelta {
    fn params(&self) -> Vec<ParamSpec> {
        let weight = ParamSpec::new(self.names.weight, self.dims.clone(), ZERO);
        let bias = self.bias.map(|n| ParamSpec::new(self.names.bias, [n], ZERO));
        std::iter::once(weight).chain(bias).collect()
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let delta = first(call.weights)?;
        let change = match self.kind {
            SiteKind::Norm { .. } => call.input.broadcast_mul(&rows::vector(delta)?)?,
            SiteKind::Embedding { .. } => lookup(delta, call.input, ctx)?,
            _ => ops::linear(call.input, delta, ctx.kernels())?,
        };
        Ok((call.output + change)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        first(weights).cloned().map(Some)
    }

    fn delta_bias(&self, weights: &[Tensor], _bias: &Tensor) -> Result<Option<Tensor>> {
        Ok(weights.get(1).cloned())
    }
}

fn first(weights: &[Tensor]) -> Result<&Tensor> {
    weights.first().ok_or_else(|| Error::Mismatch("a module that is saved needs 1 weight or 2, found none".into()))
}
