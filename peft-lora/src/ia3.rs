//! IA3: learned rescaling of activations.

use candle_core::Tensor;
use candle_nn::init::ONE;
use peft_core::{
    Ctx, Error, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, TargetModules, setters,
};
use peft_kernels as ops;
use serde::{Deserialize, Serialize};

use crate::full::WeightDelta;

/// IA3 (Liu et al. 2022, *Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning*, arXiv
/// 2205.05638, section 3.3).
///
/// `y = l ⊙ (x Wᵀ)` with `l: [d_out, 1]`; in `feedforward_modules`, `y = (l ⊙ x) Wᵀ` with `l: [1, d_in]`. `l` starts at
/// one, so the model's output is unchanged before the first step. Both forms can be merged into `W`. A bias is a part of the output:
/// `b' = l ⊙ b`, and in `feedforward_modules` it stays. Field names, meanings and defaults for T5 are those of Hugging Face `peft`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ia3Config {
    /// The linear maps to rescale. Default `["k", "v", "wo"]`.
    pub target_modules: TargetModules,
    /// Those of them whose input is rescaled instead of their output. Default `["wo"]`.
    pub feedforward_modules: TargetModules,
    /// Linear maps to leave unchanged although `target_modules` names them. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<TargetModules>,
    /// Modules to train completely, as [`LoraConfig::modules_to_save`](crate::LoraConfig::modules_to_save). Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
}

impl Default for Ia3Config {
    fn default() -> Self {
        Self {
            target_modules: TargetModules::suffixes(["k", "v", "wo"]),
            feedforward_modules: TargetModules::suffixes(["wo"]),
            exclude_modules: None,
            modules_to_save: Vec::new(),
        }
    }
}

impl Ia3Config {
    /// IA3 with `peft`'s defaults for T5.
    pub fn new() -> Self {
        Self::default()
    }
}

setters! {
    Ia3Config {
        target_modules => target_modules: TargetModules,
        feedforward_modules => feedforward_modules: TargetModules,
        exclude_modules => exclude_modules: TargetModules,
        modules_to_save => modules_to_save: [String],
    }
}

#[typetag::serde(name = "IA3")]
impl PeftConfig for Ia3Config {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        if let Some(saved) = WeightDelta::saved(&self.modules_to_save, site) {
            return Ok(Some(Box::new(saved)));
        }
        let excluded = self.exclude_modules.as_ref().is_some_and(|modules| modules.matches_path(&site.path));
        if excluded || !self.target_modules.matches(site) {
            return Ok(None);
        }
        let SiteKind::Linear { d_in, d_out } = site.kind else {
            return Err(Error::invalid(
                "IA3",
                "target_modules",
                format!("names {}, which is no linear map", site.path),
            ));
        };
        let of_input = self.feedforward_modules.matches(site);
        let dims = if of_input { [1, d_in] } else { [d_out, 1] };
        Ok(Some(Box::new(Rescaled { of_input, dims })))
    }

    fn identity_at_init(&self) -> bool {
        true
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}

/// `y = l ⊙ (x Wᵀ)`, or `y = (l ⊙ x) Wᵀ` where `l` scales the input.
#[derive(Debug)]
struct Rescaled {
    of_input: bool,
    /// The shape of `l`.
    dims: [usize; 2],
}

impl PeftModule for Rescaled {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("ia3_l", self.dims, ONE)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [l] = call.take()?;
        if !self.of_input {
            // [d_out, 1] or [batch, d_out, 1]
            let l = l.transpose(l.rank() - 2, l.rank() - 1)?;
            return Ok(call.output.broadcast_mul(&l)?);
        }
        let base = call.base.ok_or_else(|| Error::Mismatch("IA3 needs the weight of its linear map".into()))?;
        // [1, d_in] or [batch, 1, d_in]; only the part above 1 is added, so that the effect of earlier methods stays.
        let more = call.input.broadcast_mul(&(l - 1.)?)?;
        Ok((call.output + ops::linear(&more, base, ctx.kernels())?)?)
    }

    /// `W ⊙ (l - 1)`.
    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let [l] = peft_core::take(weights)?;
        Ok(Some(base.broadcast_mul(&(l - 1.)?)?))
    }

    /// `b ⊙ (l - 1)`, unless `l` scales the input.
    fn delta_bias(&self, weights: &[Tensor], bias: &Tensor) -> Result<Option<Tensor>> {
        let [l] = peft_core::take(weights)?;
        match self.of_input {
            true => Ok(None),
            false => Ok(Some((bias * (l.flatten_all()? - 1.)?)?)),
        }
    }
}
