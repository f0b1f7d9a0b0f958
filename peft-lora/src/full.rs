//! `modules_to_save`: a module that trains completely.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, ParamSpec, PeftModule, Result, Site, SiteCall, SiteKind, rows};
use peft_kernels as ops;

/// The name of the increment, relative to the site.
pub(crate) const WEIGHT_DELTA: &str = "modules_to_save.weight_delta";

/// `y = x (W + ΔW)ᵀ` at a linear map, `y = x̂ ⊙ (w + Δw)` at a norm. The increment starts at zero.
#[derive(Debug)]
pub(crate) struct Full {
    dims: Vec<usize>,
}

impl Full {
    /// The increment for the weight of `site`, if it has one.
    pub(crate) fn at(site: &Site) -> Option<Self> {
        match site.kind {
            SiteKind::Linear { d_in, d_out } => Some(Self { dims: vec![d_out, d_in] }),
            SiteKind::Norm { dim } => Some(Self { dims: vec![dim] }),
            _ => None,
        }
    }
}

impl PeftModule for Full {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new(WEIGHT_DELTA, self.dims.clone(), ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [delta] = call.take()?;
        let change = match self.dims.len() {
            1 => call.input.broadcast_mul(&rows::vector(delta)?)?,
            _ => ops::linear(call.input, delta, ctx.kernels())?,
        };
        Ok((call.output + change)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [delta] = peft_core::take(weights)?;
        Ok(Some(delta.clone()))
    }
}
