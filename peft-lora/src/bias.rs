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
