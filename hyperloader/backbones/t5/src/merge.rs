//! The model with fixed weights for decoding, and its parameters by name.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::layers::{Weight, merge_weights, unmerge_weights};
use peft_core::{ActiveAdapters, Merged};

use super::model::T5;
use crate::error::Result;

impl T5 {
    /// The same model with fixed weights for decoding: cut off from the graph, and with `W + ΔW` in place of `W` in every
    /// linear map and norm whose methods can be merged. These are not called again. Other methods still act: pass the same
    /// `active`.
    ///
    /// Weights that nothing was merged into share their storage with this model's.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge(&self, active: &ActiveAdapters<'_>) -> Result<Self> {
        Ok(self.merge_and_unload(active)?.model)
    }

    /// [`merge`](Self::merge), with a list of what could not be merged and the reasons: methods after sub-layers
    /// (bottlenecks), in front of the input or of keys and values, methods without a `ΔW`, weights that differ by row. These
    /// still act if `active` is passed to the new model; those that were merged are not called again.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use peft_t5::{T5, Weights, preset};
    /// use {peft_adapter as _, peft_lora as _};
    /// use peft_core::{ActiveAdapters, Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig, Tasks};
    ///
    /// let mut config = preset("t5-small").ok_or("no such preset")?;
    /// (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 64, 1, 1);
    /// let t5 = T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?;
    /// let methods: Vec<Box<dyn PeftConfig>> = serde_json::from_str(r#"[{"peft_type": "LORA"}, {"peft_type": "BOTTLENECK"}]"#)?;
    /// let plan = Plan::resolve(t5.sites(), &methods)?;
    /// let store = ParamStore::new(0, &Device::Cpu);
    /// let generator = StaticConfig::default().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
    /// let merged = t5.merge_and_unload(&ActiveAdapters::new(&plan, generator.generate(&Condition::Task(0))?)?)?;
    /// assert_eq!(merged.refused.len(), 4); // after self-attention and feed-forward of either stack
    /// assert_eq!(merged.refused[0].site, "encoder.block.0.layer.0");
    /// assert!(merged.refused[0].reason.starts_with("BOTTLENECK at encoder.block.0.layer.0 cannot be merged"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let mut t5 = self.clone();
        let refused = merge_weights(t5.weights_mut(), self.sites(), active)?;
        Ok(Merged { model: t5, refused })
    }

    /// Undoes a merge: `W' - ΔW` in every linear map and norm of a merged model, where `active` holds what
    /// [`merge_and_unload`](Self::merge_and_unload) or [`merge`](Self::merge) merged. Methods act there again.
    ///
    /// Some methods cannot be taken out and stay merged, with the reason: those with a `ΔW` that depends on `W`, which is
    /// gone, and those that are not in `active`. Rounding leaves `W` within a few units in the last place; to get `W` exactly,
    /// keep the model from before the merge.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn unmerge(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let mut t5 = self.clone();
        let refused = unmerge_weights(t5.weights_mut(), self.sites(), active)?;
        Ok(Merged { model: t5, refused })
    }

    /// All parameters by their Hugging Face names, as the forward pass uses them: those that train are part of the graph, and
    /// those in eight bits are converted back to `f32`.
    ///
    /// # Errors
    /// If the embedding table was left in its file and cannot be read.
    pub fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        let named = |weight: &Weight| {
            let value = if weight.value.dtype() == DType::U8 { weight.wide()? } else { weight.value.clone() };
            Ok((weight.name.clone(), value))
        };
        let mut copy = self.clone();
        let table = std::iter::once(named(self.shared.whole()?));
        copy.weights_mut().map(|weight| named(weight)).chain(table).collect()
    }

    /// All parameters by their Hugging Face names, cut off from the graph.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters).
    pub fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        Ok(self.parameters()?.into_iter().map(|(name, value)| (name, value.detach())).collect())
    }

    pub(super) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let own = self.shared.weight_mut().into_iter().chain(&mut self.lm_head);
        let cross_bias = self.cross_bias.iter_mut().map(|bias| &mut bias.table);
        own.chain(self.encoder.weights_mut()).chain(self.decoder.weights_mut()).chain(cross_bias)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use peft_core::{AdapterWeights, Ctx, ParamStore, Plan, SiteKind, TargetModules};

    use super::*;
    use crate::testing::{self, configs, everywhere, hidden, largest_difference, scaled, tiny};
    use crate::{T5Config, Trainable, Weights};

    const CPU: &Device = &Device::Cpu;

    /// A model and a method at `targets`, both in f64: what is left of a difference there is no rounding of f32, which
    /// many scaled layers make as large as 1e-5 where outputs are about 4.
    fn exact(config: &T5Config, targets: TargetModules) -> (T5, Plan, AdapterWeights) {
        let t5 = T5::new(config, Weights::random(7).var_builder(DType::F64, CPU)).unwrap();
        let (plan, weights) = scaled(&t5, targets);
        let wide = |weights: &[Tensor]| weights.iter().map(|w| w.to_dtype(DType::F64).unwrap()).collect();
        let weights = AdapterWeights::new(weights.iter().map(wide).collect());
        (t5, plan, weights)
    }

    /// `max |a - b|` in f64.
    fn gap(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn merging_changes_no_output_and_leaves_only_hidden_sites_to_call() {
        for config in configs() {
            let (t5, plan, weights) = exact(&config, everywhere());
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let merged = t5.merge(&active).unwrap();
            let expected = hidden(&t5, &active, &mut Ctx::eval());
            assert!(gap(&hidden(&merged, &active, &mut Ctx::eval()), &expected) < 1e-12);
            assert!(gap(&hidden(&t5, &ActiveAdapters::none(), &mut Ctx::eval()), &expected) > 1e-2);

            let t5 = testing::build(&config);
            let (linear_plan, linear_weights) = scaled(&t5, TargetModules::AllLinear);
            let linear = ActiveAdapters::new(&linear_plan, &linear_weights).unwrap();
            let merged = t5.merge(&linear).unwrap();
            let without = hidden(&merged, &ActiveAdapters::none(), &mut Ctx::eval());
            assert!(largest_difference(&without, &hidden(&t5, &linear, &mut Ctx::eval())) < 1e-5);
        }
    }

    #[test]
    fn merged_and_unmerged_models_say_what_they_could_not_do() {
        for config in configs() {
            let (t5, plan, weights) = exact(&config, everywhere());
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let merged = t5.merge_and_unload(&active).unwrap();
            let expected: Vec<&str> = t5
                .sites()
                .iter()
                .filter(|site| !matches!(site.kind, SiteKind::Linear { .. } | SiteKind::Norm { .. }))
                .map(|site| site.path.as_str())
                .collect();
            assert_eq!(merged.refused.iter().map(|r| r.site.as_str()).collect::<Vec<_>>(), expected);
            let expected = hidden(&t5, &active, &mut Ctx::eval());
            assert!(gap(&hidden(&merged.model, &active, &mut Ctx::eval()), &expected) < 1e-12);

            let again = merged.model.merge_and_unload(&active).unwrap();
            assert_eq!(again.refused.len(), t5.sites().len(), "nothing is merged twice");
            assert!(again.refused.iter().any(|r| r.reason.contains("holds what was merged before")));

            // Scaling multiplies: its ΔW depends on W.
            let unmerged = merged.model.unmerge(&active).unwrap();
            assert_eq!(unmerged.refused.len(), t5.sites().len() - merged.refused.len());
            assert!(unmerged.refused.iter().all(|r| r.to_string().contains("depends on the weight")));
            let others = merged.model.unmerge(&ActiveAdapters::none()).unwrap().refused;
            assert!(others.iter().all(|r| r.reason.ends_with("it was merged with methods that are not active")));
            assert_eq!(others.len(), unmerged.refused.len());
        }
    }

    #[test]
    fn a_merged_model_is_cut_off_from_the_graph() {
        let store = ParamStore::new(0, CPU);
        let vb = Weights::random(1).trainable(Trainable::All, &store).var_builder(DType::F32, CPU);
        let t5 = T5::new(&tiny(), vb).unwrap();
        let sum = |t5: &T5| hidden(t5, &ActiveAdapters::none(), &mut Ctx::eval()).sqr().unwrap().sum_all().unwrap();
        let reached = |t5: &T5| {
            let grads = sum(t5).backward().unwrap();
            store.vars().iter().filter(|(_, var)| grads.get(var).is_some()).count()
        };
        assert_eq!(reached(&t5), store.vars().len());
        assert_eq!(reached(&t5.merge(&ActiveAdapters::none()).unwrap()), 0);
    }
}
