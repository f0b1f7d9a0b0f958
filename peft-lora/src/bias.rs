//! Biases that LoRA trains: `bias` and `lora_bias`.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, ParamSpec, PeftModule, Result, Site, SiteCall, SiteKind};
use serde::{Deserialize, Serialize};

/// The increment of the bias of a linear map with LoRA, relative to the site.
pub(crate) const BASE_BIAS_DELTA: &str = "base_layer.bias_delta";
/// The increment of the bias of another module, relative to the site.
pub(crate) const BIAS_DELTA: &str = "bias_delta";
/// The bias of the low-rank branch, relative to the site.
const BRANCH_BIAS: &str = "lora_B.bias";

/// Which biases of the backbone train, by increments that start at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraBias {
    /// None.
    #[default]
    None,
    /// All, those of norms included.
    All,
    /// Those of the linear maps that LoRA changes.
    LoraOnly,
}

impl LoraBias {
    /// Whether it is [`LoraBias::None`].
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The biases of one linear map with LoRA. Their weights are the last ones of its module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Biases {
    /// Whether the low-rank branch has one, of the length of the output: `y = x Wᵀ + s (x Aᵀ Bᵀ + b')`.
    pub(crate) branch: bool,
    /// Whether the backbone's own trains.
    pub(crate) base: bool,
    /// Whether the backbone has one.
    pub(crate) has_base: bool,
}

impl Biases {
    /// Their weights, for `d_out` outputs.
    pub(crate) fn params(self, d_out: usize) -> Vec<ParamSpec> {
        let names = [(self.branch, BRANCH_BIAS), (self.base, BASE_BIAS_DELTA)];
        let wanted = names.into_iter().filter(|(wanted, _)| *wanted);
        wanted.map(|(_, name)| ParamSpec::new(name, [d_out], ZERO)).collect()
    }

    /// The other weights of a module, and these.
    pub(crate) fn split(self, weights: &[Tensor]) -> (&[Tensor], &[Tensor]) {
        let own = usize::from(self.branch) + usize::from(self.base);
        weights.split_at_checked(weights.len().saturating_sub(own)).unwrap_or_default()
    }

    /// `s b'` as a part of the branch, where the backbone has no bias that could take it.
    pub(crate) fn in_branch(self, weights: &[Tensor], scaling: f64) -> Result<Option<Tensor>> {
        match self.split(weights).1.first().filter(|_| self.branch && !self.has_base) {
            Some(bias) => Ok(Some((bias * scaling)?)),
            None => Ok(None),
        }
    }

    /// The increment of the backbone's bias.
    pub(crate) fn delta(self, weights: &[Tensor], scaling: f64) -> Result<Option<Tensor>> {
        let own = self.split(weights).1;
        Ok(match (self.branch, own) {
            (true, [branch, base]) => Some(((branch * scaling)? + base)?),
            (true, [branch]) => Some((branch * scaling)?),
            (false, [base]) => Some(base.clone()),
            _ => None,
        })
    }
}

/// The bias of a module without LoRA: `b + Δb`.
#[derive(Debug)]
pub(crate) struct BiasDelta(usize);

impl BiasDelta {
    /// The increment for the bias of `site`, if it has one.
    pub(crate) fn at(site: &Site) -> Option<Self> {
        let outputs = match site.kind {
            SiteKind::Linear { d_out, .. } => d_out,
            SiteKind::Norm { dim } => dim,
            _ => return None,
        };
        site.bias.then_some(Self(outputs))
    }
}

impl PeftModule for BiasDelta {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new(BIAS_DELTA, [self.0], ZERO)]
    }

    /// The backbone adds the bias after the site.
    fn apply(&self, call: &SiteCall<'_>, _: &mut Ctx) -> Result<Tensor> {
        Ok(call.output.clone())
    }

    fn delta(&self, _: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(base.zeros_like()?))
    }

    fn delta_bias(&self, weights: &[Tensor], _: &Tensor) -> Result<Option<Tensor>> {
        let [delta] = peft_core::take(weights)?;
        Ok(Some(delta.clone()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use peft_core::toy::toy_sites;
    use peft_core::{ActiveAdapters, AdapterWeights, PeftConfig, Plan, SiteInput, Sites};

    use super::*;
    use crate::{DeltaNames, Ia3Config, LoraConfig, WeightDelta};

    fn vector(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    /// The linear map `q` of a toy backbone of two features, with a bias or without.
    fn q(bias: bool) -> Sites {
        let mut sites = Sites::default();
        sites.add(Site { bias, ..toy_sites(1, 2).iter().next().unwrap().clone() });
        sites
    }

    /// What a method with `weights` at `q` makes of the bias (10, 20).
    fn biased(config: impl PeftConfig + 'static, weights: Vec<Tensor>) -> Vec<f32> {
        let (sites, bias) = (q(true), vector(&[10., 20.]));
        let module = config.module(sites.iter().next().unwrap()).unwrap().unwrap();
        assert_eq!(module.params().len(), weights.len());
        let delta = module.delta_bias(&weights, &bias).unwrap();
        delta.map_or(bias.clone(), |delta| (bias + delta).unwrap()).to_vec1().unwrap()
    }

    fn a_and_b() -> [Tensor; 2] {
        [vector(&[1., -1.]).unsqueeze(0).unwrap(), vector(&[1., 2.]).unsqueeze(1).unwrap()]
    }

    fn lora() -> LoraConfig {
        LoraConfig::new(1).alpha(3.).target_modules(["q"])
    }

    #[test]
    fn each_method_says_what_becomes_of_the_bias() {
        let [a, b] = a_and_b();
        let (own, base) = (vector(&[1., -1.]), vector(&[5., 6.]));
        let with = |more: Vec<Tensor>| [vec![a.clone(), b.clone()], more].concat();
        assert_eq!(biased(lora(), with(vec![])), [10., 20.], "LoRA leaves it");
        assert_eq!(
            biased(lora().use_dora(true), with(vec![vector(&[1., 1.])])),
            [10., 20.],
            "DoRA does not rescale it"
        );
        assert_eq!(biased(lora().lora_bias(true), with(vec![own.clone()])), [13., 17.], "s b'");
        assert_eq!(biased(lora().bias(LoraBias::LoraOnly), with(vec![base.clone()])), [15., 26.]);
        let all = lora().bias(LoraBias::All);
        assert_eq!(biased(all.clone().lora_bias(true), with(vec![own, base.clone()])), [18., 23.]);
        assert_eq!(biased(all.target_modules(["v"]), vec![base.clone()]), [15., 26.], "a module without LoRA");

        let l = vector(&[2., 0.5]);
        let outputs = Ia3Config::new().target_modules(["q"]).feedforward_modules(["v"]);
        assert_eq!(biased(outputs.clone(), vec![l.unsqueeze(1).unwrap()]), [20., 10.], "l ⊙ b");
        let inputs = outputs.feedforward_modules(["q"]);
        assert_eq!(biased(inputs, vec![l.unsqueeze(0).unwrap()]), [10., 20.], "scaled inputs leave it");

        let saved = lora().target_modules(["v"]).modules_to_save(["q"]);
        let delta = Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert_eq!(biased(saved, vec![delta, base]), [15., 26.]);
    }

    #[test]
    fn a_bias_of_the_branch_is_part_of_the_output_where_the_map_has_none() {
        let sites = q(false);
        let plan = Plan::resolve(&sites, &[Box::new(lora().lora_bias(true)) as Box<dyn PeftConfig>]).unwrap();
        let [a, b] = a_and_b();
        let weights = AdapterWeights::new(vec![vec![a, b, vector(&[1., -1.])]]);
        let active = ActiveAdapters::new(&plan, weights).unwrap();
        let site = sites.find("layers.0.q").unwrap();
        let x = Tensor::new(&[[[5f32, 3.]]], &Device::Cpu).unwrap();
        let y = active.apply(site, SiteInput::new(&x, x.zeros_like().unwrap()), &mut Ctx::eval()).unwrap();
        // 3 (B A x + b') with A x = 2.
        assert_eq!(y.to_vec3::<f32>().unwrap(), [[[3. * (2. + 1.), 3. * (4. - 1.)]]]);
        let w = Tensor::eye(2, candle_core::DType::F32, &Device::Cpu).unwrap();
        let linear = active.linear(site, &x, &w, &mut Ctx::eval()).unwrap();
        assert_eq!(linear.to_vec3::<f32>().unwrap(), [[[5. + 9., 3. + 9.]]], "the fused operation does not lose it");
        assert!(active.merge(site, &w).unwrap().weight().is_none(), "there is no bias to merge it into");
    }

    #[test]
    fn a_saved_module_has_a_bias_only_if_the_backbone_has_one() {
        let params = |bias: bool| {
            let sites = q(bias);
            let saved = WeightDelta::at(sites.iter().next().unwrap(), DeltaNames::MODULES_TO_SAVE).unwrap();
            saved.params().into_iter().map(|param| (param.name.to_string(), param.dims)).collect::<Vec<_>>()
        };
        let names = |params: &[(String, Vec<usize>)]| params.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&params(false)), ["modules_to_save.weight_delta"]);
        assert_eq!(names(&params(true)), ["modules_to_save.weight_delta", "modules_to_save.bias_delta"]);
        assert_eq!(params(true)[1].1, [2], "a number for each output");
    }
}
