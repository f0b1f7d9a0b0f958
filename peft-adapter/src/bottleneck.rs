//! The bottleneck adapter: `y + LN(W_up f(W_down LN(y) + b_down) + b_up)`.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use candle_nn::init::{ONE, ZERO};
use peft_core::{
    Ctx, Error, ParamSpec, PeftConfig, PeftModule, Position, Result, Site, SiteCall, SiteKind, normal, ops, rows,
};
use serde::{Deserialize, Serialize};

use crate::NonLinearity;

/// The name in configuration files.
const PEFT_TYPE: &str = "BOTTLENECK";
/// The standard deviation of both projections at the start, static and (for the heads) generated.
const INIT_STD: f64 = 0.01;

/// Bottleneck adapters behind sub-layers (Houlsby et al. 2019, arXiv 1902.00751, section 2), with the layer norm that
/// HyperFormer and HyperLoader generate (Karimi Mahabadi et al. 2021, arXiv 2106.04489; arXiv 2407.01411).
///
/// `Adapter(y) = y + LN_after(W_up f(W_down LN_before(y) + b_down) + b_up)` with `W_down: [m, d]`, `W_up: [d, m]` and
/// `m = ⌊d / reduction_factor⌋`; the residual sum is inside, the backbone's dropout and own residual come after it.
/// `LN` subtracts the mean. The projections begin normal with deviation 0.01, biases at zero, layer norms at one and
/// zero. Generated weights (gamma and beta too) come from heads that begin normal with deviation 0.01 and zero bias.
///
/// Field names are AdapterHub's; defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BottleneckConfig {
    /// How many times narrower the bottleneck is than the hidden state. Default 32.
    pub reduction_factor: f64,
    /// The bottleneck's width itself; where given, it counts and not `reduction_factor`. Default: none.
    pub bottleneck_size: Option<NonZeroUsize>,
    /// The function between the projections. Default `gelu_new`.
    pub non_linearity: NonLinearity,
    /// An adapter behind self-attention. Default: yes.
    pub mh_adapter: bool,
    /// An adapter behind the feed-forward block. Default: yes.
    pub output_adapter: bool,
    /// An adapter behind cross-attention. Default: no.
    pub cross_adapter: bool,
    /// A layer norm before the down projection. Default: no.
    pub ln_before: bool,
    /// A layer norm behind the up projection, before the residual sum. Default: yes.
    pub ln_after: bool,
    /// The layer norms' epsilon. Default 1e-5.
    pub layer_norm_eps: f64,
}

impl Default for BottleneckConfig {
    fn default() -> Self {
        Self {
            reduction_factor: 32.,
            bottleneck_size: None,
            non_linearity: NonLinearity::GeluNew,
            mh_adapter: true,
            output_adapter: true,
            cross_adapter: false,
            ln_before: false,
            ln_after: true,
            layer_norm_eps: 1e-5,
        }
    }
}

impl BottleneckConfig {
    fn wants(&self, position: &Position) -> bool {
        (self.mh_adapter && *position == Position::SELF_ATTENTION)
            || (self.output_adapter && *position == Position::FEED_FORWARD)
            || (self.cross_adapter && *position == Position::CROSS_ATTENTION)
    }

    fn width(&self, dim: usize) -> Result<usize> {
        if let Some(width) = self.bottleneck_size {
            return Ok(width.get());
        }
        let width = dim as f64 / self.reduction_factor;
        if width >= 1. && width.is_finite() {
            return Ok(width as usize);
        }
        Err(Error::InvalidConfig {
            kind: PEFT_TYPE.to_owned(),
            field: "reduction_factor",
            reason: format!("is {}, expected above 0 and at most the hidden size {dim}", self.reduction_factor),
        })
    }
}

#[typetag::serde(name = "BOTTLENECK")]
impl PeftConfig for BottleneckConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::Hidden { dim } = site.kind else {
            return Ok(None);
        };
        if !self.wants(&site.position) {
            return Ok(None);
        }
        Ok(Some(Box::new(Bottleneck { dim, width: self.width(dim)?, config: self.clone() })))
    }
}

/// The adapter at one hidden site.
#[derive(Debug)]
struct Bottleneck {
    dim: usize,
    width: usize,
    config: BottleneckConfig,
}

impl PeftModule for Bottleneck {
    fn params(&self) -> Vec<ParamSpec> {
        let (d, m) = (self.dim, self.width);
        let spec = |name: &'static str, dims: &[usize], init| {
            ParamSpec::new(name, dims, init).with_head(normal(INIT_STD), Some(ZERO))
        };
        let norm = |weight, bias| [spec(weight, &[d], ONE), spec(bias, &[d], ZERO)];
        let mut params = vec![
            spec("adapter.down.weight", &[m, d], normal(INIT_STD)),
            spec("adapter.down.bias", &[m], ZERO),
            spec("adapter.up.weight", &[d, m], normal(INIT_STD)),
            spec("adapter.up.bias", &[d], ZERO),
        ];
        if self.config.ln_before {
            params.extend(norm("adapter.ln_before.weight", "adapter.ln_before.bias"));
        }
        if self.config.ln_after {
            params.extend(norm("adapter.ln_after.weight", "adapter.ln_after.bias"));
        }
        params
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let (projections, mut norms) = call.weights.split_at_checked(4).unwrap_or_default();
        let [down, down_bias, up, up_bias] = peft_core::take(projections)?;
        let kernels = ctx.kernels();
        let mut norm = |on: bool, x: Tensor| -> Result<Tensor> {
            let Some(([gamma, beta], rest)) = norms.split_first_chunk().filter(|_| on) else {
                return Ok(x);
            };
            norms = rest;
            Ok(ops::layer_norm(&x, gamma, beta, self.config.layer_norm_eps, kernels)?)
        };
        let z = norm(self.config.ln_before, call.output.clone())?;
        let z = ops::linear(&z, down, kernels)?.broadcast_add(&rows::vector(down_bias)?)?;
        let z = self.config.non_linearity.forward(&z, kernels)?;
        let z = ops::linear(&z, up, kernels)?.broadcast_add(&rows::vector(up_bias)?)?;
        let z = norm(self.config.ln_after, z)?;
        Ok((call.output + z)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::Device;
    use peft_core::toy::toy_sites;
    use peft_core::{Active, Plan, Sites, WeightBank};

    fn plan(config: BottleneckConfig) -> (Sites, Result<Plan>) {
        let sites = toy_sites(1, 2);
        let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]);
        (sites, plan)
    }

    fn run(config: BottleneckConfig, weights: &[&[&[f32]]], y: &[f32]) -> Vec<f32> {
        let (sites, plan) = plan(config);
        let plan = plan.unwrap();
        let specs = &plan.entries().first().unwrap().params;
        let tensors = specs
            .iter()
            .zip(weights)
            .map(|(s, w)| Tensor::new(w.concat(), &Device::Cpu).unwrap().reshape(s.dims.as_slice()).unwrap());
        let bank = WeightBank::new(vec![tensors.collect()]);
        let y = Tensor::new(y, &Device::Cpu).unwrap().reshape((1, 1, 2)).unwrap();
        let active = Active::new(&plan, &bank).unwrap();
        let out = active.apply(sites.find("layers.0.ffn").unwrap(), &y, None, y.clone(), &mut Ctx::eval()).unwrap();
        out.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn relu(ln_before: bool, ln_after: bool) -> BottleneckConfig {
        BottleneckConfig {
            bottleneck_size: NonZeroUsize::new(1),
            non_linearity: NonLinearity::Relu,
            ln_before,
            ln_after,
            layer_norm_eps: 0.,
            ..BottleneckConfig::default()
        }
    }

    #[test]
    fn without_layer_norms_it_is_a_residual_bottleneck() {
        // relu(3·1 + 1·2 + 0.5) = 5.5; up (2, -1), bias (1, 0).
        let out = run(relu(false, false), &[&[&[3., 1.]], &[&[0.5]], &[&[2., -1.]], &[&[1., 0.]]], &[1., 2.]);
        assert_eq!(out, [1. + 12., 2. - 5.5]);
    }

    #[test]
    fn the_norm_behind_comes_before_the_residual_sum() {
        // up gives (12, -5.5), normalised to (1, -1); gamma (10, 20), beta (0.5, 0.25).
        let weights: &[&[&[f32]]] =
            &[&[&[3., 1.]], &[&[0.5]], &[&[2., -1.]], &[&[1., 0.]], &[&[10., 20.]], &[&[0.5, 0.25]]];
        assert_eq!(run(relu(false, true), weights, &[1., 2.]), [1. + 10.5, 2. - 19.75]);
    }

    #[test]
    fn the_norm_before_comes_before_the_down_projection() {
        // (1, 2) is normalised to (-1, 1); gamma (2, 4), beta 0: (-2, 4); relu(-6 + 4 + 0.5) = 0; up gives its bias.
        let weights: &[&[&[f32]]] = &[&[&[3., 1.]], &[&[0.5]], &[&[2., -1.]], &[&[1., 0.]], &[&[2., 4.]], &[&[0., 0.]]];
        assert_eq!(run(relu(true, false), weights, &[1., 2.]), [2., 2.]);
    }

    #[test]
    fn a_bottleneck_wider_than_the_hidden_state_is_refused() {
        let (_, plan) = plan(BottleneckConfig { reduction_factor: 3., ..BottleneckConfig::default() });
        let message = plan.unwrap_err().to_string();
        assert_eq!(message, "BOTTLENECK: reduction_factor is 3, expected above 0 and at most the hidden size 2");
    }
}
