//! Takes parameters from a `VarBuilder` under their Hugging Face names, and names sites on the way.

use candle_core::DType;
use candle_nn::{Init, VarBuilder};
use peft_core::layers::{Linear, RmsNorm, Weight};
use peft_core::{Site, SiteId, SiteKind, SiteRole, Sites, normal};

use super::config::T5Config;
use super::side::Side;
use crate::error::Result;

/// One sub-layer: encoder or decoder, its block and its number within the block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPath {
    pub(super) side: Side,
    pub(super) block: usize,
    pub(super) layer: usize,
}

impl BlockPath {
    /// `encoder.block.0.layer.1`
    pub(super) fn path(self) -> String {
        format!("{}.block.{}.layer.{}", self.side, self.block, self.layer)
    }
}

/// The features of a linear map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features {
    pub(super) d_in: usize,
    pub(super) d_out: usize,
    /// The standard deviation of initial values.
    pub(super) stdev: f64,
}

impl Features {
    pub(super) fn new(d_in: usize, d_out: usize) -> Self {
        Self { d_in, d_out, stdev: inverse_sqrt(d_in) }
    }
}

/// How the name of a table of relative position biases ends.
const RELATIVE_BIAS: &str = "relative_attention_bias.weight";

/// What the modules of the backbone are built with.
pub(super) struct Builder<'a> {
    pub(super) config: &'a T5Config,
    vb: VarBuilder<'a>,
    /// The sites named so far.
    pub(super) sites: Sites,
}

impl<'a> Builder<'a> {
    pub(super) fn new(config: &'a T5Config, vb: VarBuilder<'a>) -> Self {
        Self { config, vb, sites: Sites::default() }
    }

    /// The type of a frozen table. In eight bits there are linear maps alone.
    pub(super) fn table_dtype(&self) -> DType {
        match self.vb.dtype() {
            DType::U8 => DType::F32,
            dtype => dtype,
        }
    }

    /// The parameter called `name`; `init` is its initial value where the source is random.
    pub(super) fn weight(&self, name: String, dims: &[usize], init: Init) -> Result<Weight> {
        let narrow = self.vb.dtype() == DType::BF16;
        let dtype = if narrow { DType::F32 } else { self.table_dtype() };
        let mut value = self.vb.get_with_hints_dtype(dims, &name, init, dtype)?;
        // Norms and position biases are small and sensitive, and variables must hold what the optimizer adds.
        if narrow && dims.len() == 2 && !value.track_op() && !name.ends_with(RELATIVE_BIAS) {
            value = value.to_dtype(DType::BF16)?;
        }
        Ok(Weight { name, value, site: None })
    }

    /// The linear map `module` of the sub-layer at `place`.
    pub(super) fn linear(&mut self, place: BlockPath, module: &str, role: SiteRole, of: Features) -> Result<Linear> {
        let Features { d_in, d_out, stdev } = of;
        let path = format!("{}.{module}", place.path());
        let (name, shape, init) = (format!("{path}.weight"), [d_out, d_in], normal(stdev));
        let weight = match self.vb.dtype() {
            DType::U8 => {
                let value = self.vb.get_with_hints_dtype(&shape, &name, init, DType::U8)?;
                Weight { name, value, site: None }
            }
            _ => self.weight(name, &shape, init)?,
        };
        let site = self.site(path, place, role, SiteKind::Linear { d_in, d_out });
        Ok(Linear(Weight { site: Some(site), ..weight }))
    }

    /// The site at the output of the sub-layer at `place`.
    pub(super) fn hidden(&mut self, place: BlockPath, role: SiteRole) -> SiteId {
        let kind = SiteKind::SubLayer { dim: self.config.d_model };
        self.site(place.path(), place, role, kind)
    }

    /// The keys and values of the attention at `path`.
    pub(super) fn key_values(&mut self, place: BlockPath, path: String, role: SiteRole) -> SiteId {
        let T5Config { num_heads: heads, d_model: queries, .. } = *self.config;
        let dim = self.config.inner_dim();
        self.site(path, place, role, SiteKind::KeyValue { dim, queries, heads })
    }

    /// The norm at `path`; `place` is the sub-layer that it belongs to.
    pub(super) fn norm(&mut self, path: String, place: BlockPath, role: SiteRole) -> Result<RmsNorm> {
        let dim = self.config.d_model;
        let weight = self.weight(format!("{path}.weight"), &[dim], candle_nn::init::ONE)?;
        let site = self.site(path, place, role, SiteKind::Norm { dim });
        Ok(RmsNorm { weight: Weight { site: Some(site), ..weight }, epsilon: self.config.layer_norm_epsilon })
    }

    /// The site called `path`.
    pub(super) fn site(&mut self, path: String, place: BlockPath, role: SiteRole, kind: SiteKind) -> SiteId {
        self.sites.add(Site { path, stack: place.side.stack(), layer: place.block, role, kind, bias: false })
    }
}

/// `n^-0.5`, the standard deviation that T5 gives to weights with `n` features in.
pub(super) fn inverse_sqrt(n: usize) -> f64 {
    (n as f64).sqrt().recip()
}
