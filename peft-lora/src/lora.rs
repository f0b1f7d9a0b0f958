//! LoRA at one linear map: `y = x Wᵀ + s · x Aᵀ Bᵀ`.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, Fused, ParamSpec, PeftModule, Result, SiteCall, normal, rows};
use peft_kernels as ops;

use crate::LoraInit;
use crate::bias::Biases;
use crate::gate::gate;

/// The low-rank branch of one linear map.
#[derive(Debug)]
pub(crate) struct Lora {
    pub(crate) r: usize,
    pub(crate) d_in: usize,
    pub(crate) d_out: usize,
    pub(crate) scaling: f64,
    pub(crate) dropout: f64,
    pub(crate) init: LoraInit,
    pub(crate) gated: bool,
    pub(crate) biases: Biases,
}

impl Lora {
    /// `A` and `B`.
    pub(crate) fn pair(&self) -> [ParamSpec; 2] {
        let [a, b] = self.init.values(self.r);
        [
            ParamSpec::new("lora_A.weight", [self.r, self.d_in], a).with_head(a, None),
            ParamSpec::new("lora_B.weight", [self.d_out, self.r], b).with_head(b, None),
        ]
    }

    /// `s · x Aᵀ Bᵀ`.
    pub(crate) fn branch(&self, x: &Tensor, a: &Tensor, b: &Tensor, ctx: &Ctx) -> Result<Tensor> {
        // Scaling here costs r multiplications per token instead of d_out.
        let low = (ops::linear(x, a, ctx.kernels())? * self.scaling)?;
        Ok(ops::linear(&low, b, ctx.kernels())?)
    }
}

impl PeftModule for Lora {
    fn params(&self) -> Vec<ParamSpec> {
        let mut params = self.pair().to_vec();
        if self.gated {
            params.push(ParamSpec::new("gate.weight", [1, self.d_in], normal(0.02)));
            params.push(ParamSpec::new("gate.bias", [1], ZERO));
        }
        params.extend(self.biases.params(self.d_out));
        params
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let (pair, gates) = self.biases.split(call.weights).0.split_at_checked(2).unwrap_or_default();
        let [a, b] = peft_core::take(pair)?;
        let x = ctx.dropout(call.input, self.dropout)?;
        let branch = self.branch(&x, a, b, ctx)?;
        let branch = match self.biases.in_branch(call.weights, self.scaling)? {
            Some(bias) => branch.broadcast_add(&rows::vector(&bias)?)?,
            None => branch,
        };
        if !self.gated {
            return Ok((call.output + branch)?);
        }
        let [weight, bias] = peft_core::take(gates)?;
        let open = gate(call.input, weight, bias, ctx)?;
        Ok((call.output + branch.broadcast_mul(&open)?)?)
    }

    fn fused<'a>(&self, weights: &'a [Tensor], ctx: &mut Ctx) -> Result<Option<Fused<'a>>> {
        if self.gated || self.biases.in_branch(weights, self.scaling)?.is_some() {
            return Ok(None);
        }
        let [a, b] = peft_core::take(self.biases.split(weights).0)?;
        let dropout = ctx.dropout_key(self.dropout);
        Ok(Some(Fused::LowRank(ops::LowRank { a, b, scaling: self.scaling, dropout })))
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        // Without a bias of the backbone, there is nothing that the branch's bias could be merged into.
        if self.gated || self.biases.in_branch(weights, self.scaling)?.is_some() {
            return Ok(None);
        }
        let [a, b] = peft_core::take(self.biases.split(weights).0)?;
        Ok(Some((b.matmul(a)? * self.scaling)?))
    }

    fn delta_bias(&self, weights: &[Tensor], _bias: &Tensor) -> Result<Option<Tensor>> {
        self.biases.delta(weights, self.scaling)
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use candle_core::{Device, Tensor};
    use peft_core::toy::toy_sites;
    use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, SiteInput};
    use peft_kernels as ops;

    use crate::LoraConfig;

    /// `α ≠ r`, `B ≠ 0` and an input that is not zero: values, not shapes.
    fn setup() -> (Plan, AdapterWeights, peft_core::Sites) {
        let sites = toy_sites(1, 3);
        let config = LoraConfig::new(2).alpha(5.).target_modules(["q"]);
        let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
        let a = Tensor::new(&[[1f32, 0., -1.], [0.5, 2., 1.]], &Device::Cpu).unwrap();
        let b = Tensor::new(&[[1f32, 0.], [0., 1.], [2., -1.]], &Device::Cpu).unwrap();
        (plan, AdapterWeights::new(vec![vec![a, b]]), sites)
    }

    #[test]
    fn adds_the_scaled_low_rank_product() {
        let (plan, weights, sites) = setup();
        let x = Tensor::new(&[[[1f32, 2., 3.]]], &Device::Cpu).unwrap();
        let y = Tensor::new(&[[[10f32, 20., 30.]]], &Device::Cpu).unwrap();
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let out = active.apply(sites.find("layers.0.q").unwrap(), SiteInput::new(&x, y), &mut Ctx::eval()).unwrap();
        // A x = (-2, 7.5); B A x = (-2, 7.5, -11.5); scale 5 / 2.
        assert_eq!(out.to_vec3::<f32>().unwrap(), vec![vec![vec![5., 38.75, 1.25]]]);
    }

    #[test]
    fn merged_equals_unmerged() {
        let (plan, weights, sites) = setup();
        let q = sites.find("layers.0.q").unwrap();
        let w = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.], [7., 8., 10.]], &Device::Cpu).unwrap();
        let x = Tensor::new(&[[[1f32, -2., 0.5]]], &Device::Cpu).unwrap();
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let y = ops::linear(&x, &w, ops::Kernels::Plain).unwrap();
        let apart = active.apply(q, SiteInput::new(&x, y).base(&w), &mut Ctx::eval()).unwrap();
        let merged = active.merge(q, &w).unwrap().weight().unwrap();
        let together = ops::linear(&x, &merged, ops::Kernels::Plain).unwrap();
        let gap = (apart - together).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(gap < 1e-5, "{gap}");
    }

    #[test]
    fn each_row_may_have_its_own_weights() {
        let (plan, weights, sites) = setup();
        let q = sites.find("layers.0.q").unwrap();
        let other = AdapterWeights::new(vec![weights.of_target(0).iter().map(|w| (w * 3.).unwrap()).collect()]);
        let x = Tensor::new(&[[[1f32, 2., 3.]], [[0.5, -1., 2.]]], &Device::Cpu).unwrap();
        let run = |weights: &AdapterWeights, x: &Tensor| {
            let active = ActiveAdapters::new(&plan, weights).unwrap();
            active.apply(q, SiteInput::new(x, x.zeros_like().unwrap()), &mut Ctx::eval()).unwrap()
        };
        let mixed = run(&AdapterWeights::rows(&[weights.clone(), other.clone()], &[1, 0]).unwrap(), &x);
        let apart =
            Tensor::cat(&[run(&other, &x.narrow(0, 0, 1).unwrap()), run(&weights, &x.narrow(0, 1, 1).unwrap())], 0)
                .unwrap();
        assert_eq!(mixed.to_vec3::<f32>().unwrap(), apart.to_vec3::<f32>().unwrap());
    }

    #[test]
    fn a_hidden_site_is_no_target() {
        let config = LoraConfig::default().target_modules(["ffn"]);
        let error = Plan::resolve(&toy_sites(1, 3), &[Box::new(config) as Box<dyn PeftConfig>]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "LORA: target_modules names layers.0.ffn, which is neither a linear map nor an embedding table"
        );
    }

    #[test]
    fn configuration_round_trips_by_its_name() {
        let text = r#"{"peft_type":"LORA","r":4,"target_modules":"decoder.*q"}"#;
        let config: Box<dyn PeftConfig> = serde_json::from_str(text).unwrap();
        let back = serde_json::to_value(&config).unwrap();
        assert_eq!(back["r"], 4);
        assert_eq!(back["target_modules"], "decoder.*q");
        assert_eq!(back["lora_alpha"], 8.);
    }
}
