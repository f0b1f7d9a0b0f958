//! Prompt tuning: learned embeddings before the source.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use peft_core::{Ctx, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, nonzero, normal};
use serde::{Deserialize, Serialize};

use crate::prefix::front::{each_row, in_front};

/// The name of the weight, which is also its name in files.
pub(crate) const PROMPT_EMBEDDINGS: &str = "prompt_embeddings";

/// Prompt tuning (Lester et al. 2021, *The Power of Scale for Parameter-Efficient Prompt Tuning*, arXiv 2104.08691,
/// section 2).
///
/// `X' = [P; X]` with the embedded source `X: [batch, s, d]` and `P: [p, d]`, `p = num_virtual_tokens`. The encoder, and
/// every query of cross-attention, see `p` more positions. `P` is one weight, `prompt_embeddings`. At the start it is normal
/// with deviation 1, as with `peft`'s `RANDOM`; T5's own embeddings have that scale too. So the model's outputs change
/// before any training. The method cannot be merged: it changes no weight.
///
/// ```
/// let config = peft_adapter::PromptTuningConfig::new(50);
/// # assert_eq!(config.num_virtual_tokens.get(), 50);
/// ```
///
/// Field names are those of Hugging Face `peft`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptTuningConfig {
    /// The number of embeddings before the source. Default 20.
    pub num_virtual_tokens: NonZeroUsize,
}

impl Default for PromptTuningConfig {
    fn default() -> Self {
        Self { num_virtual_tokens: nonzero(20) }
    }
}

impl PromptTuningConfig {
    /// This many embeddings before the source. 0 counts as 1.
    pub fn new(num_virtual_tokens: usize) -> Self {
        Self { num_virtual_tokens: nonzero(num_virtual_tokens) }
    }
}

#[typetag::serde(name = "PROMPT_TUNING")]
impl PeftConfig for PromptTuningConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::Input { dim } = site.kind else {
            return Ok(None);
        };
        Ok(Some(Box::new(Prompt { length: self.num_virtual_tokens.get(), dim })))
    }
}

/// The prompt at the input of the backbone.
#[derive(Debug)]
struct Prompt {
    length: usize,
    dim: usize,
}

impl PeftModule for Prompt {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new(PROMPT_EMBEDDINGS, [self.length, self.dim], normal(1.)).shared()]
    }

    fn apply(&self, call: &SiteCall<'_>, _ctx: &mut Ctx) -> Result<Tensor> {
        let [prompt] = call.take()?;
        in_front(&each_row(prompt, call.output.dim(0)?)?, call.output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::Device;
    use peft_core::{ActiveAdapters, AdapterWeights, Plan, SiteInput, SiteRole, Sites, Stack};

    /// A backbone that consists of its input only.
    fn sites() -> Sites {
        let mut sites = Sites::default();
        sites.add(Site {
            path: "embed".into(),
            stack: Stack::ENCODER,
            layer: 0,
            role: SiteRole::INPUT,
            kind: SiteKind::Input { dim: 2 },
            bias: false,
        });
        sites
    }

    fn run(prompt: Tensor) -> Vec<Vec<Vec<f32>>> {
        let config = PromptTuningConfig::new(2);
        let plan = Plan::resolve(&sites(), &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
        let active = ActiveAdapters::new(&plan, AdapterWeights::new(vec![vec![prompt]])).unwrap();
        let x = Tensor::new(&[[[1f32, 2.]], [[3., 4.]]], &Device::Cpu).unwrap();
        let out =
            active.apply(sites().find("embed").unwrap(), SiteInput::new(&x, x.clone()), &mut Ctx::eval()).unwrap();
        out.to_vec3().unwrap()
    }

    #[test]
    fn the_prompt_comes_before_every_source() {
        let prompt = Tensor::new(&[[10f32, 20.], [30., 40.]], &Device::Cpu).unwrap();
        let p = [vec![10., 20.], vec![30., 40.]];
        let with = |x: [f32; 2]| vec![p[0].clone(), p[1].clone(), x.to_vec()];
        assert_eq!(run(prompt), [with([1., 2.]), with([3., 4.])]);
    }

    #[test]
    fn each_row_may_have_its_own_prompt() {
        let prompts = Tensor::new(&[[[10f32, 20.], [30., 40.]], [[50., 60.], [70., 80.]]], &Device::Cpu).unwrap();
        let rows = run(prompts);
        assert_eq!(rows, [[[10., 20.], [30., 40.], [1., 2.]], [[50., 60.], [70., 80.], [3., 4.]]]);
    }

    #[test]
    fn its_weight_belongs_to_no_site() {
        let config = PromptTuningConfig::new(3);
        let plan = Plan::resolve(&sites(), &[Box::new(config) as Box<dyn PeftConfig>]).unwrap();
        let target = plan.targets().first().unwrap();
        let keys: Vec<_> = target.params.iter().map(|p| (target.key(p), p.dims.clone())).collect();
        assert_eq!(keys, [("prompt_embeddings".to_owned(), vec![3, 2])]);
    }
}
