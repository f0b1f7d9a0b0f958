//! The scores of a few words instead of all.

use candle_core::{DType, Tensor};
use peft_core::{ActiveAdapters, Ctx};
use peft_kernels::{self as ops, transfer};

use super::model::T5;
use super::table::select;
use crate::error::Result;

/// Some words of the vocabulary, with their rows of the output projection.
#[derive(Debug, Clone)]
pub struct Candidates {
    ids: Tensor,
    /// `[k, d]`
    weight: Tensor,
}

impl T5 {
    /// The words `ids`, whose scores [`candidate_logits`](Self::candidate_logits) gives.
    ///
    /// # Errors
    /// If an id is outside the vocabulary.
    pub fn candidates(&self, ids: &[u32]) -> Result<Candidates> {
        let weight = match &self.lm_head {
            Some(head) => select(head, ids)?,
            None => self.shared.select(ids)?,
        };
        Ok(Candidates { ids: transfer::upload(ids.to_vec(), ids.len(), self.device())?, weight })
    }

    /// What [`logits`](Self::logits) gives for these words alone: `hidden [n, d]` to `n` times `k` scores. Where a method
    /// acts at the output projection, all scores are computed and the others dropped on the device: `n` times `k` numbers are read back.
    ///
    /// # Errors
    /// If the last dimension is not `d`; or as the methods at `lm_head`, which must be the same for all rows.
    pub fn candidate_logits(
        &self,
        hidden: &Tensor,
        candidates: &Candidates,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Vec<Vec<f32>>> {
        let scores = match self.lm_head.as_ref().is_some_and(|head| head.is_target(active)) {
            true => self.logits(&hidden.unsqueeze(0)?, active, ctx)?.squeeze(0)?.index_select(&candidates.ids, 1)?,
            false => ops::linear(hidden, &candidates.weight, ctx.kernels())?,
        };
        Ok(transfer::download_rows(&scores.to_dtype(DType::F32)?)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{self, configs, everywhere, hidden, scaled};

    #[test]
    fn they_are_columns_of_all_scores_with_and_without_a_method_at_the_output() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (plan, weights) = scaled(&t5, everywhere());
            for active in [ActiveAdapters::none(), ActiveAdapters::new(&plan, &weights).unwrap()] {
                let mut ctx = Ctx::eval();
                let hidden = hidden(&t5, &active, &mut ctx).get(1).unwrap();
                let all: Vec<Vec<f32>> = t5
                    .logits(&hidden.unsqueeze(0).unwrap(), &active, &mut ctx)
                    .unwrap()
                    .squeeze(0)
                    .unwrap()
                    .to_vec2()
                    .unwrap();
                let few = t5.candidates(&[40, 3, 59]).unwrap();
                let few = t5.candidate_logits(&hidden, &few, &active, &mut ctx).unwrap();
                for (few, all) in few.iter().zip(&all) {
                    for (few, word) in few.iter().zip([40, 3, 59]) {
                        assert!((few - all[word]).abs() < 1e-5);
                    }
                }
            }
        }
    }
}
