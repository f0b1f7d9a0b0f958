//! A minimal backbone: one linear map.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::{
    ActiveAdapters, Backbone, Ctx, Merge, Merged, ParamStore, Refusal, Result, Site, SiteId, SiteKind, SiteRole, Sites,
    Stack,
};

const PATH: &str = "layers.0.q";

/// `y = x Wᵀ` with one site. A batch is `x [batch, length, dim]`; its loss is the mean of `y²`.
#[derive(Debug, Clone)]
pub struct ToyBackbone {
    sites: Sites,
    q: SiteId,
    weight: Tensor,
    /// Whether methods were merged. They are not called again then.
    merged: bool,
}

impl ToyBackbone {
    /// A map of `dim` features that doubles its input.
    ///
    /// # Errors
    /// If the weight cannot be made.
    pub fn new(dim: usize) -> Result<Self> {
        let mut sites = Sites::default();
        let kind = SiteKind::Linear { d_in: dim, d_out: dim };
        let role = SiteRole::new("q");
        let q = sites.add(Site { path: PATH.into(), stack: Stack::DECODER, layer: 0, role, kind, bias: false });
        let weight = (Tensor::eye(dim, DType::F32, &Device::Cpu)? * 2.)?;
        Ok(Self { sites, q, weight, merged: false })
    }

    /// `y` for `x [batch, length, dim]`.
    ///
    /// # Errors
    /// If the shape does not fit; or as the active methods do.
    pub fn forward(&self, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        match self.merged {
            true => Ok(peft_kernels::linear(x, &self.weight, ctx.kernels())?),
            false => active.linear(self.q, x, &self.weight, ctx),
        }
    }
}

impl Backbone for ToyBackbone {
    type Batch = Tensor;

    fn sites(&self) -> &Sites {
        &self.sites
    }

    fn device(&self) -> &Device {
        self.weight.device()
    }

    fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        Ok([(format!("{PATH}.weight"), self.weight.clone())].into())
    }

    fn train(mut self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self> {
        let name = format!("{PATH}.weight");
        if covers(&name) {
            let value = || Ok(self.weight.detach());
            self.weight = store.get_or_insert_with(&name, self.weight.shape(), value)?;
        }
        Ok(self)
    }

    fn loss(&self, batch: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        Ok(self.forward(batch, active, ctx)?.sqr()?.mean_all()?)
    }

    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let (weight, refused) = match active.merge(self.q, &self.weight)? {
            Merge::Weight(weight) => (weight.detach(), Vec::new()),
            Merge::Refused(reason) => (self.weight.detach(), vec![Refusal { site: PATH.into(), reason }]),
        };
        Ok(Merged { model: Self { weight, merged: refused.is_empty(), ..self.clone() }, refused })
    }
}
