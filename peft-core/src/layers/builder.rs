//! Takes parameters from a `VarBuilder` under their names in checkpoints, and names sites on the way.

use candle_core::DType;
use candle_nn::{Init, VarBuilder};

use super::embedding::Embedding;
use super::linear::Linear;
use super::norm::RmsNorm;
use super::weight::Weight;
use crate::{Result, Site, SiteId, SiteKind, SiteRole, Sites, Stack, normal};

/// Builds the layers of a backbone in the order of its forward pass. Every layer becomes a site with the name of its module.
///
/// If the type of the `VarBuilder` is `bf16`, matrices that do not train are held in it; norms, variables and everything that is
/// computed are `f32`.
pub struct LayerBuilder<'a> {
    vb: VarBuilder<'a>,
    sites: Sites,
    stack: Stack,
    layer: usize,
}

impl<'a> LayerBuilder<'a> {
    /// A builder that takes parameters from `vb`, at the root of their names. Sites are in `stack`, in layer 0.
    pub fn new(vb: VarBuilder<'a>, stack: Stack) -> Self {
        Self { vb, sites: Sites::default(), stack, layer: 0 }
    }

    /// The layer of the sites that are named from now on.
    pub fn set_layer(&mut self, layer: usize) {
        self.layer = layer;
    }

    /// All sites that were named.
    pub fn into_sites(self) -> Sites {
        self.sites
    }

    /// Names a site.
    pub fn site(&mut self, path: impl Into<String>, role: SiteRole, kind: SiteKind) -> SiteId {
        let (stack, layer) = (self.stack.clone(), self.layer);
        self.sites.add(Site { path: path.into(), stack, layer, role, kind, bias: false })
    }

    /// The parameter called `name`, without a site; `init` is its initial value where the source is random.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn weight(&self, name: String, dims: &[usize], init: Init) -> Result<Weight> {
        let narrow = self.vb.dtype() == DType::BF16;
        let dtype = if narrow { DType::F32 } else { self.vb.dtype() };
        let mut value = self.vb.get_with_hints_dtype(dims, &name, init, dtype)?;
        // Norms are small and sensitive, and variables must hold what the optimizer adds.
        if narrow && dims.len() == 2 && !value.track_op() {
            value = value.to_dtype(DType::BF16)?;
        }
        Ok(Weight { name, value, site: None })
    }

    /// The linear map at `path` with the weight `[d_out, d_in]`, normal with deviation `1/√d_in` where the source is random.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn linear(&mut self, path: &str, role: SiteRole, [d_out, d_in]: [usize; 2]) -> Result<Linear> {
        let weight = self.weight(format!("{path}.weight"), &[d_out, d_in], normal((d_in as f64).sqrt().recip()))?;
        let site = self.site(path, role, SiteKind::Linear { d_in, d_out });
        Ok(Linear(Weight { site: Some(site), ..weight }))
    }

    /// The norm of `dim` features at `path`, one where the source is random.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn rms_norm(&mut self, path: &str, role: SiteRole, (dim, epsilon): (usize, f64)) -> Result<RmsNorm> {
        let weight = self.weight(format!("{path}.weight"), &[dim], candle_nn::init::ONE)?;
        let site = self.site(path, role, SiteKind::Norm { dim });
        Ok(RmsNorm { weight: Weight { site: Some(site), ..weight }, epsilon })
    }

    /// The embedding table `[rows, dim]` at `path`, normal with deviation 1 where the source is random.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn embedding(&mut self, path: &str, role: SiteRole, [rows, dim]: [usize; 2]) -> Result<Embedding> {
        let weight = self.weight(format!("{path}.weight"), &[rows, dim], normal(1.))?;
        let site = self.site(path, role, SiteKind::Embedding { rows, dim });
        Ok(Embedding(Weight { site: Some(site), ..weight }))
    }
}
