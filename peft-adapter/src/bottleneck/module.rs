//! The bottleneck adapter at one site.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{
    Ctx, Fused, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, Sites, check_dropout, normal, rows,
};
use peft_kernels as ops;

use super::config::{BottleneckConfig, PEFT_TYPE};
use crate::frame::{Frame, INIT_STD, spec};

#[typetag::serde(name = "BOTTLENECK")]
impl PeftConfig for BottleneckConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::SubLayer { dim } = site.kind else {
            return Ok(None);
        };
        if !self.wants(site) {
            return Ok(None);
        }
        check_dropout(PEFT_TYPE, "dropout", self.dropout)?;
        Ok(Some(Box::new(Bottleneck { dim, width: self.width(dim)?, frame: Frame(self.clone()) })))
    }

    fn check_sites(&self, sites: &Sites) -> Result<()> {
        self.leave_out.check(PEFT_TYPE, sites)
    }
}

/// Two dense projections in their frame.
#[derive(Debug)]
struct Bottleneck {
    dim: usize,
    width: usize,
    frame: Frame,
}

impl PeftModule for Bottleneck {
    fn params(&self) -> Vec<ParamSpec> {
        let (d, m) = (self.dim, self.width);
        let mut params = vec![
            spec("adapter.down.weight", &[m, d], normal(INIT_STD)),
            spec("adapter.down.bias", &[m], ZERO),
            spec("adapter.up.weight", &[d, m], normal(INIT_STD)),
            spec("adapter.up.bias", &[d], ZERO),
        ];
        params.extend(self.frame.params(d));
        params
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let (projections, frame) = call.weights.split_at_checked(4).unwrap_or_default();
        let [down, down_bias, up, up_bias] = peft_core::take(projections)?;
        self.frame.apply(call, frame, ctx, |x, ctx| {
            let kernels = ctx.kernels();
            let z = ops::linear(x, down, kernels)?.broadcast_add(&rows::vector(down_bias)?)?;
            let z = self.frame.0.non_linearity.forward(&z, kernels)?;
            Ok(ops::linear(&z, up, kernels)?.broadcast_add(&rows::vector(up_bias)?)?)
        })
    }

    fn fused<'a>(&self, weights: &'a [Tensor], _ctx: &mut Ctx) -> Result<Option<Fused<'a>>> {
        let (projections, frame) = weights.split_at_checked(4).unwrap_or_default();
        let [down, down_bias, up, up_bias] = peft_core::take(projections)?;
        let vectors = [down_bias, up_bias].into_iter().chain(frame).all(|weight| weight.rank() == 1);
        let shared = vectors && down.rank() == 2 && up.rank() == 2;
        let Some(activation) = self.frame.0.non_linearity.fused().filter(|_| shared && self.frame.is_simple()) else {
            return Ok(None);
        };
        let norm = self.frame.norm_after(frame)?;
        Ok(Some(Fused::Bottleneck(ops::Bottleneck { down, down_bias, activation, up, up_bias, norm, dropout: None })))
    }
}
