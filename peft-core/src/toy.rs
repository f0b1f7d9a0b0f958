//! The sites of a toy backbone and a toy method, for examples and tests.

mod backbone;

use serde::{Deserialize, Serialize};

pub use backbone::ToyBackbone;

use crate::{
    Ctx, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, SiteRole, Sites, Stack, TargetModules,
};
use candle_core::Tensor;

/// `layers` decoder layers. Each has linear maps `q` and `v` with `dim` features and a sub-layer `ffn`.
pub fn toy_sites(layers: usize, dim: usize) -> Sites {
    let mut sites = Sites::default();
    for layer in 0..layers {
        for name in ["q", "v", "ffn"] {
            let kind = match name {
                "ffn" => SiteKind::SubLayer { dim },
                _ => SiteKind::Linear { d_in: dim, d_out: dim },
            };
            sites.add(Site {
                path: format!("layers.{layer}.{name}"),
                stack: Stack::DECODER,
                layer,
                role: SiteRole::new(name),
                kind,
                bias: false,
            });
        }
    }
    sites
}

/// A minimal method: `y ⊙ s` with one learned vector `s` that starts at one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Which modules are scaled.
    pub target_modules: TargetModules,
}

impl Scale {
    /// The method at these modules.
    pub fn new(target_modules: impl Into<TargetModules>) -> Self {
        Self { target_modules: target_modules.into() }
    }
}

#[typetag::serde(name = "TOY_SCALE")]
impl PeftConfig for Scale {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let dim = match site.kind {
            SiteKind::Linear { d_out, .. } => d_out,
            SiteKind::SubLayer { dim }
            | SiteKind::Norm { dim }
            | SiteKind::Embedding { dim, .. }
            | SiteKind::Input { dim } => dim,
            SiteKind::KeyValue { dim, .. } => 2 * dim,
        };
        let module = || Box::new(ScaleModule { dim, kind: site.kind }) as Box<dyn PeftModule>;
        Ok(self.target_modules.matches(site).then(module))
    }

    fn identity_at_init(&self) -> bool {
        true
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}

#[derive(Debug)]
struct ScaleModule {
    dim: usize,
    kind: SiteKind,
}

impl PeftModule for ScaleModule {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("scale", [self.dim], candle_nn::init::ONE)]
    }

    fn apply(&self, call: &SiteCall<'_>, _ctx: &mut Ctx) -> Result<Tensor> {
        let [scale] = call.take()?;
        Ok(call.output.broadcast_mul(&crate::rows::vector(scale)?)?)
    }

    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let [scale] = crate::take(weights)?;
        let scaled = match self.kind {
            // A row of a linear map's weight makes one feature of the output.
            SiteKind::Linear { .. } => base.broadcast_mul(&scale.unsqueeze(1)?)?,
            _ => base.broadcast_mul(scale)?,
        };
        Ok(Some((scaled - base)?))
    }

    fn delta_bias(&self, weights: &[Tensor], bias: &Tensor) -> Result<Option<Tensor>> {
        let [scale] = crate::take(weights)?;
        Ok(Some(((bias * scale)? - bias)?))
    }
}
