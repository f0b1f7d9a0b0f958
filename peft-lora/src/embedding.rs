//! LoRA on a table of embeddings: `E' = E + s (B A)ᵀ`.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, ParamSpec, PeftModule, Result, SiteCall, normal};
use peft_kernels as ops;

use crate::full::look_up;

/// `y = E[id] + s B A[:, id]` with `A: [r, rows]`, `B: [d, r]`. `A` starts at zero and `B` normal, as in `peft`.
#[derive(Debug)]
pub(crate) struct EmbeddingLora {
    pub(crate) r: usize,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    pub(crate) scaling: f64,
}

impl PeftModule for EmbeddingLora {
    fn params(&self) -> Vec<ParamSpec> {
        let (a, b) = (ZERO, normal(1.));
        vec![
            ParamSpec::new("lora_embedding_A", [self.r, self.rows], a).with_head(a, None),
            ParamSpec::new("lora_embedding_B", [self.dim, self.r], b),
        ]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [a, b] = call.take()?;
        let low = (look_up(&a.t()?, call.input)? * self.scaling)?;
        Ok((call.output + ops::linear(&low, b, ctx.kernels())?)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [a, b] = peft_core::take(weights)?;
        Ok(Some((a.t()?.matmul(&b.t()?)? * self.scaling)?))
    }
}
