//! Compacter at one site.

use candle_core::Tensor;
use peft_core::{Ctx, Error, ParamSpec, PeftModule, Result, SiteCall, normal};

use super::phm::{Names, Phm};
use crate::frame::Frame;

/// The name of the rules that all projections share.
const SHARED_RULE: &str = "adapter.phm_rule";
/// The names of the rules of each projection.
const RULES: [&str; 2] = ["adapter.down.phm_rule", "adapter.up.phm_rule"];
const DOWN: Names = Names {
    whole: "adapter.down.W",
    left: "adapter.down.W_left",
    right: "adapter.down.W_right",
    bias: "adapter.down.b",
};
const UP: Names =
    Names { whole: "adapter.up.W", left: "adapter.up.W_left", right: "adapter.up.W_right", bias: "adapter.up.b" };

/// Two hypercomplex projections in their frame.
#[derive(Debug)]
pub(super) struct Compacter {
    pub(super) dim: usize,
    pub(super) down: Phm,
    pub(super) up: Phm,
    pub(super) shared_rule: bool,
    pub(super) rule_stdev: f64,
    pub(super) frame: Frame,
}

impl PeftModule for Compacter {
    fn params(&self) -> Vec<ParamSpec> {
        let n = self.down.n;
        let rule = |name| ParamSpec::new(name, [n, n, n], normal(self.rule_stdev));
        let rules = match self.shared_rule {
            true => vec![rule(SHARED_RULE).shared()],
            false => RULES.map(rule).to_vec(),
        };
        let projections = self.down.params(DOWN).into_iter().chain(self.up.params(UP));
        rules.into_iter().chain(projections).chain(self.frame.params(self.dim)).collect()
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let (rules, rest) = call.weights.split_at_checked(if self.shared_rule { 1 } else { 2 }).unwrap_or_default();
        let (down, rest) = rest.split_at_checked(self.down.count()).unwrap_or_default();
        let (up, frame) = rest.split_at_checked(self.up.count()).unwrap_or_default();
        let (Some(down_rule), Some(up_rule)) = (rules.first(), rules.last()) else {
            return Err(Error::Mismatch("Compacter got no weights".to_owned()));
        };
        self.frame.apply(call, frame, ctx, |x, ctx| {
            let z = self.down.forward(x, down_rule, down, ctx)?;
            let z = self.frame.0.non_linearity.forward(&z, ctx.kernels())?;
            self.up.forward(&z, up_rule, up, ctx)
        })
    }
}
