//! Llama as a backbone of [`PeftModel`](peft_core::PeftModel).

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_core::{ActiveAdapters, Backbone, Ctx, Error, Merged, ParamStore, Result, Sites};
use peft_kernels::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy};
use tracing::trace_span;

use crate::batch::{IGNORED, LlamaBatch};
use crate::model::Llama;

impl Backbone for Llama {
    type Batch = LlamaBatch;

    fn sites(&self) -> &Sites {
        self.sites()
    }

    fn name(&self) -> Option<&str> {
        self.name()
    }

    fn device(&self) -> &Device {
        self.device()
    }

    fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut copy = self.clone();
        Ok(copy.weights_mut().map(|weight| (weight.name.clone(), weight.value.clone())).collect())
    }

    fn train(mut self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self> {
        self.weights_mut().filter(|weight| covers(&weight.name)).try_for_each(|weight| weight.train(store))?;
        Ok(self)
    }

    /// The mean cross-entropy of the labels that are not [`IGNORED`]. Its parts are the `tracing` spans `decoder` and `loss`.
    fn loss(&self, batch: &LlamaBatch, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let (rows, length) = batch.labels.dims2()?;
        if batch.input.ids.dims() != [rows, length] || length < 2 {
            let (ids, labels) = (batch.input.ids.dims(), batch.labels.dims());
            let reason =
                format!("ids {ids:?} and labels {labels:?} must both be [batch, length] with two tokens or more");
            return Err(Error::Mismatch(reason));
        }
        let hidden = trace_span!("decoder").in_scope(|| self.hidden(&batch.input, active, ctx))?;
        let _span = trace_span!("loss").entered();
        // Without what methods put in front of the text, and without the last token, which nothing comes after.
        let hidden = hidden.narrow(1, hidden.dim(1)? - length, length - 1)?.contiguous()?.flatten_to(1)?;
        let labels = batch.labels.narrow(1, 1, length - 1)?.contiguous()?.flatten_all()?;
        let mean = SmoothedCrossEntropy { label_smoothing: 0., ignore_index: IGNORED, reduction: Reduction::Mean };
        let weight = self.output_weight(active)?;
        Ok(smoothed_cross_entropy([&hidden, &weight, &labels], &mean, ctx.kernels())?)
    }

    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        self.merge_and_unload(active)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::D;
    use peft_adapter::PromptTuningConfig;
    use peft_core::PeftModel;
    use peft_lora::LoraConfig;

    use super::*;
    use crate::LlamaConfig;
    use crate::testing::{build, configs, logits};

    fn batch() -> LlamaBatch {
        LlamaBatch::new(&[&[5, 9], &[8, 20, 3, 4]], &[&[12, 7, 1], &[1]], &Device::Cpu).unwrap()
    }

    #[test]
    fn the_loss_is_the_mean_surprise_at_the_targets() {
        for config in configs() {
            let llama = build(&config);
            let (batch, none) = (batch(), ActiveAdapters::none());
            let scores = candle_nn::ops::log_softmax(&logits(&llama, &batch.input, &none), D::Minus1).unwrap();
            let scores = scores.to_vec3::<f32>().unwrap();
            // Both rows are five columns long.
            let of = |row: usize, column: usize, label: usize| -scores[row][column - 1][label];
            let expected = (of(0, 2, 12) + of(0, 3, 7) + of(0, 4, 1) + of(1, 4, 1)) / 4.;
            let loss = llama.loss(&batch, &none, &mut Ctx::eval()).unwrap().to_scalar::<f32>().unwrap();
            assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
        }
    }

    #[test]
    fn what_a_method_puts_in_front_is_no_part_of_the_loss() {
        let model =
            PeftModel::builder(build(&LlamaConfig::small())).method(PromptTuningConfig::new(3)).build().unwrap();
        let loss = model.loss(&batch(), 0, &mut Ctx::train(1, 0)).unwrap();
        let gradients = loss.backward().unwrap();
        assert!(model.vars().iter().all(|(_, var)| gradients.get(var).is_some()));
    }

    #[test]
    fn training_lowers_the_loss() {
        let builder = PeftModel::builder(build(&LlamaConfig::small()));
        let model =
            builder.method(LoraConfig::new(4).target_modules(["q_proj", "v_proj", "embed_tokens"])).build().unwrap();
        let losses: Vec<f32> = (0..30)
            .map(|step| {
                let loss = model.loss(&batch(), 0, &mut Ctx::train(1, step)).unwrap();
                let gradients = loss.backward().unwrap();
                for (_, var) in model.vars() {
                    let gradient = gradients.get(&var).unwrap();
                    var.set(&(var.as_tensor() - (gradient * 0.3).unwrap()).unwrap()).unwrap();
                }
                loss.to_scalar().unwrap()
            })
            .collect();
        assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    }

    #[test]
    fn every_parameter_can_train() {
        for config in configs() {
            let store = ParamStore::new(0, &Device::Cpu);
            let llama = Backbone::train(build(&config), &|_| true, &store).unwrap();
            let head = usize::from(!config.tie_word_embeddings);
            assert_eq!(store.vars().len(), 2 * 9 + 2 + head);
            assert!(llama.parameters().unwrap().values().all(Tensor::is_variable));
            let loss = llama.loss(&batch(), &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
            let gradients = loss.backward().unwrap();
            for (name, var) in store.vars() {
                let gradient =
                    gradients.get(&var).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(gradient > 0., "{name}");
            }
        }
    }

    #[test]
    fn batches_that_do_not_fit_are_refused() {
        let cpu = &Device::Cpu;
        let message = |batch: Result<LlamaBatch>| batch.unwrap_err().to_string();
        assert_eq!(message(LlamaBatch::new(&[&[1]], &[], cpu)), "a batch of 1 prompts and 0 targets");
        assert!(message(LlamaBatch::new(&[&[]], &[&[]], cpu)).starts_with("row 0 has no token"));
        let one = LlamaBatch::new(&[&[]], &[&[5]], cpu).unwrap();
        let error = build(&LlamaConfig::small()).loss(&one, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap_err();
        assert!(error.to_string().contains("two tokens or more"), "{error}");
    }
}
