//! Methods merged into the weights, and taken out again.

use peft_core::layers::{Linear, Weight, merge_weights, unmerge_weights};
use peft_core::{ActiveAdapters, Merged, Result};

use crate::model::Llama;

impl Llama {
    /// A new model, cut off from the gradient graph, with `W + ΔW` in place of `W` in every linear map, norm and embedding table whose
    /// methods can be merged. The result lists what could not be merged, with the reasons: it still acts if `active` is passed to the new
    /// model. What was merged is not called again.
    ///
    /// If methods are merged into an embedding table that is the output projection too, the two are no longer one: methods at the table
    /// change the input alone.
    ///
    /// Weights that nothing was merged into share their storage with this model's.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let mut model = self.clone();
        let refused = merge_weights(model.weights_mut(), &self.sites, active)?;
        let (before, after) = (&self.embed_tokens.0, &model.embed_tokens.0);
        if self.lm_head.is_none() && before.site != after.site {
            let (name, value) = ("lm_head.weight".to_owned(), before.value.detach());
            model.lm_head = Some(Linear(Weight { name, value, site: None }));
            model.config.tie_word_embeddings = false;
        }
        Ok(Merged { model, refused })
    }

    /// Undoes a merge: `W' - ΔW` wherever `active` holds what [`merge_and_unload`](Self::merge_and_unload) merged. Methods act there again.
    ///
    /// Some methods cannot be taken out and stay merged, with the reason: those with a `ΔW` that depends on `W`, which is gone, and those
    /// that are not in `active`. Rounding leaves `W` within a few units in the last place.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn unmerge(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let mut model = self.clone();
        let refused = unmerge_weights(model.weights_mut(), &self.sites, active)?;
        Ok(Merged { model, refused })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device, Tensor};
    use peft_core::{AdapterWeights, Backbone, random_weights};

    use super::*;
    use crate::testing::{adapter, bottlenecks, changes_of_weights, configs, fits, fronts, gap, input, logits};

    /// In f64, where what is left of a difference is no rounding.
    fn exact(config: &crate::LlamaConfig) -> Llama {
        Llama::new(config, random_weights(7, DType::F64, &Device::Cpu)).unwrap()
    }

    fn wide(weights: &AdapterWeights) -> AdapterWeights {
        let wide = |weights: &[Tensor]| weights.iter().map(|w| w.to_dtype(DType::F64).unwrap()).collect();
        AdapterWeights::new(weights.iter().map(wide).collect())
    }

    #[test]
    fn a_merged_model_computes_what_its_methods_computed() {
        let rows = input(&[&[5, 9, 12, 7, 33, 60], &[8, 20, 41]]);
        for config in configs() {
            let llama = exact(&config);
            for method in changes_of_weights().into_iter().chain(bottlenecks()).chain(fronts()) {
                if !fits(&llama, &*method) {
                    continue;
                }
                let (plan, weights) = adapter(&llama, &*method, 3);
                let weights = wide(&weights);
                let active = ActiveAdapters::new(&plan, &weights).unwrap();
                let expected = logits(&llama, &rows, &active);
                let Merged { model, refused } = llama.merge_and_unload(&active).unwrap();
                assert!(gap(&logits(&model, &rows, &active), &expected) < 1e-9, "{config:?} {method:?}");
                let merges = changes_of_weights().iter().any(|m| format!("{m:?}") == format!("{method:?}"));
                assert_eq!(refused.is_empty(), merges, "{method:?} {refused:?}");
                if merges {
                    assert!(gap(&logits(&model, &rows, &ActiveAdapters::none()), &expected) < 1e-9, "{method:?}");
                    let twice = model.merge_and_unload(&active).unwrap().refused;
                    assert_eq!(twice.len(), plan.targets().len());
                    assert!(twice[0].reason.contains("holds what was merged before"), "{}", twice[0]);
                }
            }
        }
    }

    #[test]
    fn a_table_that_is_the_output_projection_too_is_so_no_more() {
        let llama = exact(&configs()[1]);
        let names = |llama: &Llama| llama.parameters().unwrap().into_keys().collect::<Vec<_>>();
        assert!(!names(&llama).contains(&"lm_head.weight".to_owned()));
        let merged = |targets: [&str; 1]| {
            let method = peft_lora::LoraConfig::new(2).target_modules(targets);
            let (plan, weights) = adapter(&llama, &method, 3);
            llama.merge_and_unload(&ActiveAdapters::new(&plan, wide(&weights)).unwrap()).unwrap().model
        };
        let table = merged(["embed_tokens"]);
        assert!(names(&table).contains(&"lm_head.weight".to_owned()) && !table.config().tie_word_embeddings);
        assert!(merged(["q_proj"]).config().tie_word_embeddings);
    }

    #[test]
    fn what_was_merged_can_be_taken_out() {
        let llama = exact(&configs()[0]);
        let method = peft_lora::LoraConfig::new(2).target_modules(["q_proj", "embed_tokens"]);
        let (plan, weights) = adapter(&llama, &method, 3);
        let weights = wide(&weights);
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let merged = llama.merge_and_unload(&active).unwrap().model;
        let again = merged.unmerge(&active).unwrap();
        assert!(again.refused.is_empty());
        let (before, after) = (llama.parameters().unwrap(), again.model.parameters().unwrap());
        assert!(before.iter().all(|(name, tensor)| gap(tensor, &after[name]) < 1e-12));
        let rows = input(&[&[5, 9, 12]]);
        assert!(gap(&logits(&again.model, &rows, &active), &logits(&llama, &rows, &active)) < 1e-9);
    }
}
