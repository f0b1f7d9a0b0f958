//! A module that trains completely: `modules_to_save`, and layer-norm tuning.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, ParamSpec, PeftModule, Result, Site, SiteCall, SiteKind, rows};
use peft_kernels as ops;

use crate::embedding::lookup;

/// The name of the increment of `modules_to_save`, relative to the site.
pub(crate) const WEIGHT_DELTA: &str = "modules_to_save.weight_delta";

/// `y = x (W + ΔW)ᵀ` at a linear map, `y = x̂ ⊙ (w + Δw)` at a norm, `y = (E + ΔE)[ids]` at an embedding table. The increment starts
/// at zero.
#[derive(Debug)]
pub struct WeightDelta {
    name: &'static str,
    kind: SiteKind,
    dims: Vec<usize>,
}

impl WeightDelta {
    /// The increment for the weight of `site`, if it has one. `name` is its name relative to the site.
    pub fn at(site: &Site, name: &'static str) -> Option<Self> {
        let dims = match site.kind {
            SiteKind::Linear { d_in, d_out } => vec![d_out, d_in],
            SiteKind::Norm { dim } => vec![dim],
            SiteKind::Embedding { rows, dim } => vec![rows, dim],
            _ => return None,
        };
        Some(Self { name, kind: site.kind, dims })
    }
}

impl PeftModule for WeightDelta {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new(self.name, self.dims.clone(), ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [delta] = call.take()?;
        let change = match self.kind {
            SiteKind::Norm { .. } => call.input.broadcast_mul(&rows::vector(delta)?)?,
            SiteKind::Embedding { .. } => lookup(delta, call.input, ctx)?,
            _ => ops::linear(call.input, delta, ctx.kernels())?,
        };
        Ok((call.output + change)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [delta] = peft_core::take(weights)?;
        Ok(Some(delta.clone()))
    }
}
