//! The model with fixed weights for decoding, and its parameters by name.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::Active;

use super::T5;
use super::layers::Weight;
use crate::Result;

impl T5 {
    /// The same model for decoding with fixed weights: cut off from the graph, and with `W + ΔW` in place of `W` in every
    /// linear map whose methods fold, where they are not called again. Other methods still act: pass the same `active`.
    ///
    /// Weights that nothing was folded into share their storage with this model's.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn fold(&self, active: &Active<'_>) -> Result<Self> {
        let mut folded = self.clone();
        folded.weights_mut().try_for_each(|weight| weight.fold(active))?;
        Ok(folded)
    }

    /// All parameters by their Hugging Face names, as the forward pass uses them: those that train are part of the graph.
    pub fn parameters(&self) -> BTreeMap<String, Tensor> {
        let mut copy = self.clone();
        copy.weights_mut().map(|weight| (weight.name.clone(), weight.value.clone())).collect()
    }

    /// All parameters by their Hugging Face names, cut off from the graph.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.parameters().into_iter().map(|(name, value)| (name, value.detach())).collect()
    }

    fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let own = std::iter::once(&mut self.shared).chain(&mut self.lm_head);
        let cross_bias = self.cross_bias.iter_mut().map(|bias| &mut bias.table);
        own.chain(self.encoder.weights_mut()).chain(self.decoder.weights_mut()).chain(cross_bias)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};
    use peft_core::{Ctx, ParamStore, TargetModules};

    use super::*;
    use crate::t5::testing::{self, configs, everywhere, hidden, largest_difference, scaled, tiny};
    use crate::t5::{Trainable, Weights};

    const CPU: &Device = &Device::Cpu;

    #[test]
    fn folding_changes_no_output_and_leaves_only_hidden_sites_to_call() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (plan, bank) = scaled(&t5, everywhere());
            let active = Active::new(&plan, &bank).unwrap();
            let folded = t5.fold(&active).unwrap();
            let expected = hidden(&t5, &active, &mut Ctx::eval());
            assert!(largest_difference(&hidden(&folded, &active, &mut Ctx::eval()), &expected) < 1e-5);
            assert!(largest_difference(&hidden(&t5, &Active::none(), &mut Ctx::eval()), &expected) > 1e-2);

            let (linear_plan, linear_bank) = scaled(&t5, TargetModules::AllLinear);
            let linear = Active::new(&linear_plan, &linear_bank).unwrap();
            let folded = t5.fold(&linear).unwrap();
            let without = hidden(&folded, &Active::none(), &mut Ctx::eval());
            assert!(largest_difference(&without, &hidden(&t5, &linear, &mut Ctx::eval())) < 1e-5);
        }
    }

    #[test]
    fn a_folded_model_is_cut_off_from_the_graph() {
        let store = ParamStore::new(0, CPU);
        let vb = Weights::random(1).trainable(Trainable::All, &store).var_builder(DType::F32, CPU);
        let t5 = T5::new(&tiny(), vb).unwrap();
        let sum = |t5: &T5| hidden(t5, &Active::none(), &mut Ctx::eval()).sqr().unwrap().sum_all().unwrap();
        let reached = |t5: &T5| {
            let grads = sum(t5).backward().unwrap();
            store.vars().iter().filter(|(_, var)| grads.get(var).is_some()).count()
        };
        assert_eq!(reached(&t5), store.vars().len());
        assert_eq!(reached(&t5.fold(&Active::none()).unwrap()), 0);
    }
}
