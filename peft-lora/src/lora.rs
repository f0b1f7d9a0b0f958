//! LoRA: `y = x Wᵀ + (α / r) · x Aᵀ Bᵀ`.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{
    Ctx, Error, KAIMING_UNIFORM, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, TargetModules,
    nonzero, ops,
};
use serde::{Deserialize, Serialize};

/// The name in configuration files.
const PEFT_TYPE: &str = "LORA";

/// LoRA (Hu et al. 2021, *LoRA: Low-Rank Adaptation of Large Language Models*, arXiv 2106.09685, section 4.1).
///
/// `y = x Wᵀ + s · dropout(x) Aᵀ Bᵀ` with `A: [r, d_in]`, `B: [d_out, r]` and `s = lora_alpha / r`.
/// `A` begins Kaiming-uniform (±1/√d_in), `B` at zero: the model begins as it was. Generated weights come from heads
/// without bias, that of `B` zero (arXiv 2407.01411, section 3; its code sets `r = lora_alpha = 8`).
///
/// Field names and meanings are those of Hugging Face `peft`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// The rank. Default 8.
    pub r: NonZeroUsize,
    /// The scale's numerator `α`. Default 8.
    pub lora_alpha: f64,
    /// The probability with which an element of the low-rank branch's input is dropped in training. Default 0.
    pub lora_dropout: f64,
    /// The linear maps to change. Default `["q", "v"]`, which is `peft`'s for T5.
    pub target_modules: TargetModules,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { r: nonzero(8), lora_alpha: 8., lora_dropout: 0., target_modules: TargetModules::suffixes(["q", "v"]) }
    }
}

#[typetag::serde(name = "LORA")]
impl PeftConfig for LoraConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        if !self.target_modules.matches(site) {
            return Ok(None);
        }
        let SiteKind::Linear { d_in, d_out } = site.kind else {
            return Err(invalid("target_modules", format!("names {}, which is no linear map", site.path)));
        };
        if !(0. ..1.).contains(&self.lora_dropout) {
            return Err(invalid("lora_dropout", format!("is {}, expected 0 or more and below 1", self.lora_dropout)));
        }
        Ok(Some(Box::new(Lora {
            r: self.r.get(),
            d_in,
            d_out,
            scaling: self.lora_alpha / self.r.get() as f64,
            dropout: self.lora_dropout,
        })))
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}

fn invalid(field: &'static str, reason: String) -> Error {
    Error::InvalidConfig { kind: PEFT_TYPE.to_owned(), field, reason }
}

/// LoRA at one linear map.
#[derive(Debug)]
struct Lora {
    r: usize,
    d_in: usize,
    d_out: usize,
    scaling: f64,
    dropout: f64,
}

impl PeftModule for Lora {
    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new("lora_A.weight", [self.r, self.d_in], KAIMING_UNIFORM).with_head(KAIMING_UNIFORM, None),
            ParamSpec::new("lora_B.weight", [self.d_out, self.r], ZERO).with_head(ZERO, None),
        ]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [a, b] = call.take()?;
        let x = ctx.dropout(call.input, self.dropout)?;
        let low = ops::linear(&x, a, ctx.kernels())?;
        // Scaling the narrow side costs r, not d_out, multiplications a token.
        let low = (low * self.scaling)?;
        Ok((call.output + ops::linear(&low, b, ctx.kernels())?)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [a, b] = peft_core::take(weights)?;
        Ok(Some((b.matmul(a)? * self.scaling)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use candle_core::{Device, Tensor};
    use peft_core::toy::toy_sites;
    use peft_core::{Active, Plan, WeightBank};

    /// `α ≠ r`, `B ≠ 0` and an input that is not zero: values, not shapes.
    fn setup() -> (Plan, WeightBank, peft_core::Sites) {
        let sites = toy_sites(1, 3);
        let config = LoraConfig {
            r: NonZeroUsize::new(2).unwrap(),
            lora_alpha: 5.,
            target_modules: TargetModules::suffixes(["q"]),
            ..LoraConfig::default()
        };
        let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
        let a = Tensor::new(&[[1f32, 0., -1.], [0.5, 2., 1.]], &Device::Cpu).unwrap();
        let b = Tensor::new(&[[1f32, 0.], [0., 1.], [2., -1.]], &Device::Cpu).unwrap();
        (plan, WeightBank::new(vec![vec![a, b]]), sites)
    }

    #[test]
    fn adds_the_scaled_low_rank_product() {
        let (plan, bank, sites) = setup();
        let x = Tensor::new(&[[[1f32, 2., 3.]]], &Device::Cpu).unwrap();
        let y = Tensor::new(&[[[10f32, 20., 30.]]], &Device::Cpu).unwrap();
        let active = Active::new(&plan, &bank).unwrap();
        let out = active.apply(sites.find("layers.0.q").unwrap(), &x, None, y, &mut Ctx::eval()).unwrap();
        // A x = (-2, 7.5); B A x = (-2, 7.5, -11.5); scale 5 / 2.
        assert_eq!(out.to_vec3::<f32>().unwrap(), vec![vec![vec![5., 38.75, 1.25]]]);
    }

    #[test]
    fn folded_equals_unfolded() {
        let (plan, bank, sites) = setup();
        let q = sites.find("layers.0.q").unwrap();
        let w = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.], [7., 8., 10.]], &Device::Cpu).unwrap();
        let x = Tensor::new(&[[[1f32, -2., 0.5]]], &Device::Cpu).unwrap();
        let active = Active::new(&plan, &bank).unwrap();
        let y = ops::linear(&x, &w, ops::Kernels::Plain).unwrap();
        let apart = active.apply(q, &x, Some(&w), y, &mut Ctx::eval()).unwrap();
        let folded = active.fold(q, &w).unwrap().unwrap();
        let together = ops::linear(&x, &folded, ops::Kernels::Plain).unwrap();
        let gap = (apart - together).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(gap < 1e-5, "{gap}");
    }

    #[test]
    fn each_row_may_have_its_own_weights() {
        let (plan, bank, sites) = setup();
        let q = sites.find("layers.0.q").unwrap();
        let other = WeightBank::new(vec![bank.entry(0).iter().map(|w| (w * 3.).unwrap()).collect()]);
        let x = Tensor::new(&[[[1f32, 2., 3.]], [[0.5, -1., 2.]]], &Device::Cpu).unwrap();
        let run = |bank: &WeightBank, x: &Tensor| {
            let active = Active::new(&plan, bank).unwrap();
            active.apply(q, x, None, x.zeros_like().unwrap(), &mut Ctx::eval()).unwrap()
        };
        let mixed = run(&WeightBank::rows(&[bank.clone(), other.clone()], &[1, 0]).unwrap(), &x);
        let apart =
            Tensor::cat(&[run(&other, &x.narrow(0, 0, 1).unwrap()), run(&bank, &x.narrow(0, 1, 1).unwrap())], 0)
                .unwrap();
        assert_eq!(mixed.to_vec3::<f32>().unwrap(), apart.to_vec3::<f32>().unwrap());
    }

    #[test]
    fn a_hidden_site_is_no_target() {
        let config = LoraConfig { target_modules: TargetModules::suffixes(["ffn"]), ..LoraConfig::default() };
        let error = Plan::resolve(&toy_sites(1, 3), &[Box::new(config) as Box<dyn PeftConfig>]).unwrap_err();
        assert_eq!(error.to_string(), "LORA: target_modules names layers.0.ffn, which is no linear map");
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
