//! A model that labels, with its linear maps in eight bits.

use candle_core::DType;
use peft_core::ActiveAdapters;
use peft_kernels as ops;

use super::model::T5;
use super::weights::is_linear_map;
use crate::error::Result;

impl T5 {
    /// The same model for decoding with its linear maps in [eight bits](ops::quantize), except those at which a method of
    /// `active` acts: [`merge`](Self::merge) first. Tables, the output projection and norms stay as they are.
    ///
    /// The input of such a map is rounded too, row by row: an output is about one percent off. `hyperloader eval --dtype int8`
    /// shows which tags that changes.
    ///
    /// # Errors
    /// If the model is not on the CPU.
    pub fn quantize(&self, active: &ActiveAdapters<'_>) -> Result<Self> {
        let mut small = self.clone();
        for stack in [&mut small.encoder, &mut small.decoder] {
            for weight in stack.weights_mut().filter(|weight| is_linear_map(&weight.name) && !weight.is_target(active))
            {
                if weight.value.dtype() != DType::U8 {
                    weight.value = ops::quantize(&weight.wide()?.detach())?;
                }
            }
        }
        Ok(small)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{Device, Tensor};
    use peft_core::{Ctx, TargetModules};

    use super::*;
    use crate::testing::{build, configs, everywhere, hidden, scaled};
    use crate::{Weights, save_backbone};

    /// The difference, relative to the size of what is expected.
    fn error(found: &Tensor, expected: &Tensor) -> f32 {
        let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        norm(&(found - expected).unwrap()) / norm(expected)
    }

    #[test]
    fn a_model_in_eight_bits_computes_nearly_the_same() {
        for config in configs() {
            let (t5, none) = (build(&config), ActiveAdapters::none());
            let small = t5.quantize(&none).unwrap();
            let [expected, found] = [&t5, &small].map(|t5| hidden(t5, &none, &mut Ctx::eval()));
            let error = error(&found, &expected);
            assert!(error > 1e-4 && error < 5e-2, "{error}");
        }
    }

    #[test]
    fn a_model_opened_in_eight_bits_is_one_that_was_made_so() {
        let folder = tempfile::tempdir().unwrap();
        for config in configs() {
            let t5 = build(&config);
            save_backbone(&t5, folder.path()).unwrap();
            let small = t5.quantize(&ActiveAdapters::none()).unwrap();
            let open = || Weights::open(folder.path()).unwrap();
            for weights in [open(), open().prefetch(DType::U8, &Device::Cpu).finish().unwrap()] {
                let opened = T5::new(&config, weights.var_builder(DType::U8, &Device::Cpu)).unwrap();
                let [expected, found] = [&small, &opened].map(|t5| t5.tensors().unwrap());
                assert_eq!(found.len(), t5.tensors().unwrap().len());
                for (name, expected) in expected {
                    let of = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    assert_eq!(of(&found[&name]), of(&expected), "{name}");
                }
            }
        }
    }

    #[test]
    fn maps_at_which_methods_act_keep_their_type_until_these_are_merged() {
        for config in configs() {
            let t5 = build(&config);
            let (plan, weights) = scaled(&t5, everywhere());
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let count = |t5: &T5| t5.clone().weights_mut().filter(|w| w.value.dtype() == DType::U8).count();
            assert_eq!(count(&t5.quantize(&active).unwrap()), 0, "methods act at every map");
            let (plan, weights) = scaled(&t5, TargetModules::AllLinear);
            let linear = ActiveAdapters::new(&plan, &weights).unwrap();
            let merged = t5.merge(&linear).unwrap().quantize(&linear).unwrap();
            assert_eq!(count(&merged), count(&t5.quantize(&ActiveAdapters::none()).unwrap()));
            let expected = hidden(&t5, &linear, &mut Ctx::eval());
            assert!(error(&hidden(&merged, &linear, &mut Ctx::eval()), &expected) < 5e-2);
        }
    }

    #[test]
    fn methods_may_act_at_maps_of_eight_bits_and_are_merged_into_them() {
        for config in configs() {
            let t5 = build(&config);
            let (plan, weights) = scaled(&t5, TargetModules::AllLinear);
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let small = t5.quantize(&ActiveAdapters::none()).unwrap();
            let expected = hidden(&t5, &active, &mut Ctx::eval());
            for small in [small.merge(&active).unwrap(), small] {
                let found = hidden(&small, &active, &mut Ctx::eval());
                assert!(error(&found, &expected) < 8e-2);
            }
        }
    }
}
