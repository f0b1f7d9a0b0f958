//! Makes parameters of a built model trainable.

use peft_core::ParamStore;

use crate::error::Result;
use crate::model::T5;
use crate::table::Table;
use crate::weights::Trainable;

impl T5 {
    /// The same model, with the parameters that `which` covers as variables of `store`. They keep their names and values. All other
    /// parameters are as before.
    ///
    /// This is [`Weights::trainable`](crate::Weights::trainable) for a model that is already built. If the store was given
    /// values beforehand ([`ParamStore::from_tensors`]), those replace the model's. Variables are `f32`; a model that holds its
    /// matrices in `bf16` gets `f32` for those that train.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use peft_core::ParamStore;
    /// use peft_t5::{T5, Trainable, Weights, preset};
    ///
    /// let mut config = preset("t5-small").ok_or("no such preset")?;
    /// (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
    /// let t5 = T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?;
    /// let store = ParamStore::new(0, &Device::Cpu);
    /// let t5 = t5.train(Trainable::Norms, &store)?;
    /// assert_eq!(store.vars().len(), 7); // encoder: two sub-layers and the end; decoder: three sub-layers and the end
    /// assert!(t5.parameters()?["encoder.final_layer_norm.weight"].is_variable());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Peft`](crate::Error::Peft) if a parameter has eight bits, which cannot train, or if the store holds one of the names in
    /// another shape, or was given values and lacks one; [`Error::File`](crate::Error::File) if an embedding table that trains cannot be
    /// read.
    pub fn train(&self, which: Trainable, store: &ParamStore) -> Result<Self> {
        self.train_where(&|name| which.covers(name), store)
    }

    /// [`train`](Self::train) for the parameters whose names `covers` accepts.
    pub(super) fn train_where(&self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self> {
        let mut t5 = self.clone();
        if covers(self.shared.name()) {
            t5.shared = Table::Held(self.shared.whole()?.clone());
        }
        t5.weights_mut().filter(|weight| covers(&weight.name)).try_for_each(|weight| weight.train(store))?;
        Ok(t5)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use candle_core::{DType, Device, Tensor};
    use peft_core::{ActiveAdapters, Ctx};

    use super::*;
    use crate::testing::{build, configs, hidden, largest_difference, tiny};
    use crate::{Weights, save_backbone};

    const CPU: &Device = &Device::Cpu;

    #[test]
    fn a_built_model_trains_what_a_model_built_for_it_trains() {
        for config in configs() {
            for which in [Trainable::None, Trainable::Norms, Trainable::All] {
                let (built, later) = (ParamStore::new(0, CPU), ParamStore::new(0, CPU));
                let expected =
                    T5::new(&config, Weights::random(7).trainable(which, &built).var_builder(DType::F32, CPU)).unwrap();
                let found = build(&config).train(which, &later).unwrap();
                let names = |store: &ParamStore| store.vars().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
                assert_eq!(names(&later), names(&built), "{which:?}");
                let gradients = |t5: &T5, store: &ParamStore| -> BTreeMap<String, Tensor> {
                    let loss = hidden(t5, &ActiveAdapters::none(), &mut Ctx::eval()).sqr().unwrap().sum_all().unwrap();
                    let gradients = loss.backward().unwrap();
                    store
                        .vars()
                        .into_iter()
                        .filter_map(|(name, var)| Some((name, gradients.get(&var)?.clone())))
                        .collect()
                };
                let (expected, found) = (gradients(&expected, &built), gradients(&found, &later));
                assert_eq!(found.len(), expected.len());
                for (name, gradient) in &found {
                    assert_eq!(largest_difference(gradient, &expected[name]), 0., "{which:?} {name}");
                }
            }
        }
    }

    #[test]
    fn values_of_the_store_come_first_and_other_types_train_in_single_precision() {
        let norm = "decoder.final_layer_norm.weight".to_owned();
        let given = build(&tiny()).tensors().unwrap();
        let given = given.into_iter().filter(|(name, _)| Trainable::Norms.covers(name));
        let given: BTreeMap<String, Tensor> = given.map(|(name, value)| (name, (value * 2.).unwrap())).collect();
        let store = ParamStore::from_tensors(given, CPU);
        let t5 = build(&tiny()).train(Trainable::Norms, &store).unwrap();
        assert_eq!(t5.tensors().unwrap()[&norm].to_vec1::<f32>().unwrap(), [2.; 16]);

        for dtype in [DType::BF16, DType::F64] {
            let store = ParamStore::new(0, CPU);
            let t5 = T5::new(&tiny(), Weights::random(7).var_builder(dtype, CPU)).unwrap();
            let t5 = t5.train(Trainable::All, &store).unwrap();
            assert_eq!(store.vars().len(), t5.tensors().unwrap().len());
            assert!(store.vars().iter().all(|(_, var)| var.dtype() == DType::F32));
            let loss = hidden(&t5, &ActiveAdapters::none(), &mut Ctx::eval()).sqr().unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            assert!(store.vars().iter().all(|(_, var)| gradients.get(var).is_some()), "{dtype:?}");
        }
        let small = build(&tiny()).quantize(&ActiveAdapters::none()).unwrap();
        let error = small.train(Trainable::All, &ParamStore::new(0, CPU)).unwrap_err().to_string();
        assert!(error.ends_with("has eight bits, which cannot train"), "{error}");
        assert!(small.train(Trainable::Norms, &ParamStore::new(0, CPU)).is_ok());
    }

    #[test]
    fn a_table_in_its_file_is_read_when_it_trains() {
        let folder = tempfile::tempdir().unwrap();
        save_backbone(&build(&tiny()), folder.path()).unwrap();
        let (weights, table) = Weights::open(folder.path()).unwrap().leave_table(&tiny(), CPU).unwrap();
        let t5 = T5::with_table(&tiny(), table, weights.var_builder(DType::F32, CPU)).unwrap();
        let store = ParamStore::new(0, CPU);
        let t5 = t5.train(Trainable::All, &store).unwrap();
        assert!(store.vars().iter().any(|(name, _)| name == "shared.weight"));
        assert!(t5.parameters().unwrap()["shared.weight"].is_variable());
    }
}
