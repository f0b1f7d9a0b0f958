//! Layer-norm tuning: only the scales of the backbone's norms are trained.

use peft_core::{Error, PeftConfig, PeftModule, Result, Site, SiteKind, TargetModules, setters};
use peft_lora::{DeltaNames, WeightDelta};
use serde::{Deserialize, Serialize};

/// Layer-norm tuning (Zhao et al. 2024, *Tuning LayerNorm in Attention*, arXiv 2312.11420).
///
/// `x̂ ⊙ (w + δ)` at a norm `x̂ ⊙ w`, with `w, δ: [d]`, and `b + δ'` where the norm has a bias. The increments are zero at the start, so the
/// model computes what it did before. They can be merged. (The files of Hugging Face `peft` hold the sums.)
///
/// ```
/// use peft_adapter::LnTuningConfig;
///
/// // Only the norms after the last layers.
/// let config = LnTuningConfig::new().target_modules(["final_layer_norm"]);
/// ```
///
/// The field's name is that of Hugging Face `peft`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LnTuningConfig {
    /// The norms that are trained. Default: all.
    pub target_modules: Option<TargetModules>,
    /// Modules to train completely, as [`LoraConfig::modules_to_save`](peft_lora::LoraConfig::modules_to_save). Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
}

impl LnTuningConfig {
    /// Trains all norms.
    pub fn new() -> Self {
        Self::default()
    }
}

setters! {
    LnTuningConfig {
        target_modules => target_modules: TargetModules,
        modules_to_save => modules_to_save: [String],
    }
}

#[typetag::serde(name = "LN_TUNING")]
impl PeftConfig for LnTuningConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        if let Some(saved) = WeightDelta::saved(&self.modules_to_save, site) {
            return Ok(Some(Box::new(saved)));
        }
        let wanted = self.target_modules.as_ref().map(|targets| targets.matches(site));
        match (site.kind, wanted) {
            (SiteKind::Norm { .. }, Some(true) | None) => {
                Ok(WeightDelta::at(site, DeltaNames::LN_TUNING).map(|delta| Box::new(delta) as Box<dyn PeftModule>))
            }
            (_, Some(true)) => {
                let reason = format!("names {}, which is not a norm", site.path);
                Err(Error::invalid("LN_TUNING", "target_modules", reason))
            }
            _ => Ok(None),
        }
    }

    fn identity_at_init(&self) -> bool {
        true
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        self.target_modules.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::{Device, Tensor};
    use peft_core::{ActiveAdapters, AdapterWeights, Ctx, Plan, SiteInput, SiteRole, Sites, Stack};

    fn sites() -> Sites {
        let mut sites = Sites::default();
        for (path, kind) in [
            ("decoder.block.0.layer_norm", SiteKind::Norm { dim: 2 }),
            ("decoder.block.0.q", SiteKind::Linear { d_in: 2, d_out: 2 }),
            ("decoder.final_layer_norm", SiteKind::Norm { dim: 2 }),
        ] {
            let position = SiteRole::from(path.to_owned());
            sites.add(Site {
                path: path.to_owned(),
                stack: Stack::DECODER,
                layer: 0,
                role: position,
                kind,
                bias: false,
            });
        }
        sites
    }

    fn plan(targets: Option<&str>) -> Result<Plan> {
        let target_modules = targets.map(|name| TargetModules::suffixes([name]));
        Plan::resolve(
            &sites(),
            &[Box::new(LnTuningConfig { target_modules, ..LnTuningConfig::default() }) as Box<dyn PeftConfig>],
        )
    }

    fn paths(plan: &Plan) -> Vec<&str> {
        plan.targets().iter().map(|target| target.site.path.as_str()).collect()
    }

    #[test]
    fn all_norms_unless_some_are_named() {
        assert_eq!(paths(&plan(None).unwrap()), ["decoder.block.0.layer_norm", "decoder.final_layer_norm"]);
        assert_eq!(paths(&plan(Some("final_layer_norm")).unwrap()), ["decoder.final_layer_norm"]);
        let message = plan(Some("q")).unwrap_err().to_string();
        assert_eq!(message, "LN_TUNING: target_modules names decoder.block.0.q, which is not a norm");
    }

    #[test]
    fn the_scale_grows_by_delta_for_each_row_and_merges() {
        let plan = plan(Some("final_layer_norm")).unwrap();
        let norm = sites().find("decoder.final_layer_norm").unwrap();
        let tensor = |v: &[f32], dims: &[usize]| Tensor::new(v, &Device::Cpu).unwrap().reshape(dims).unwrap();
        let (normalized, w) = (tensor(&[1., -2., 0.5, 3.], &[2, 1, 2]), tensor(&[10., 20.], &[2]));
        let output = normalized.broadcast_mul(&w).unwrap();
        let run = |delta: Tensor| {
            let weights = AdapterWeights::new(vec![vec![delta]]);
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let out =
                active.apply(norm, SiteInput::new(&normalized, output.clone()).base(&w), &mut Ctx::eval()).unwrap();
            let merged = active.merge(norm, &w).unwrap().weight().map(|w| w.to_vec1::<f32>().unwrap());
            (out.flatten_all().unwrap().to_vec1::<f32>().unwrap(), merged)
        };
        assert_eq!(run(tensor(&[1., -4.], &[2])), (vec![11., -32., 5.5, 48.], Some(vec![11., 16.])));
        assert_eq!(run(tensor(&[1., -4., 2., 5.], &[2, 2])), (vec![11., -32., 6., 75.], None));
    }
}
