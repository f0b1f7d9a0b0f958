//! The gradients of a model, checked before its first step.

use std::collections::BTreeSet;

use candle_core::Tensor;

use super::backbone::Backbone;
use super::peft_model::PeftModel;
use crate::gradients::{GradientCheck, GradientReport};
use crate::{Ctx, Error, Result};

impl<B: Backbone> PeftModel<B> {
    /// Shows, before the first step, that training this model follows the derivative of its loss: compares the gradients of a small
    /// batch with finite differences ([`GradientCheck::quick`]).
    ///
    /// An operation without a backward pass cuts gradients without an error. Give a batch of one or two short rows: the check takes
    /// some 20 to 200 forward passes of it for each task. The report can be displayed.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use peft_core::PeftModel;
    /// use peft_core::toy::{Scale, ToyBackbone};
    ///
    /// let model = PeftModel::builder(ToyBackbone::new(2)?).method(Scale::new(["q"])).build()?;
    /// let report = model.check_gradients(&Tensor::ones((1, 3, 2), DType::F32, &Device::Cpu)?)?;
    /// assert!(report.to_string().starts_with("gradients of 1 variables: 1 right"));
    /// # Ok::<(), peft_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Gradients`] naming the variables whose gradients are missing or wrong, the frozen parameters that have one, and the
    /// operations of this build that may be the reason; as [`loss`](Self::loss).
    pub fn check_gradients(&self, batch: &B::Batch) -> Result<GradientReport> {
        self.gradient_report(&GradientCheck::quick(), batch)?.into_result()
    }

    /// What `check` finds about the gradients of a batch. The loss is the sum over the tasks, in training mode with seeded dropout.
    /// Methods hold nothing constant in it ([`Ctx::with_exact_gradients`]): that of DoRA, which holds a norm constant, is compared
    /// without that.
    ///
    /// # Errors
    /// As [`loss`](Self::loss), and [`GradientCheck::run`].
    pub fn gradient_report(&self, check: &GradientCheck, batch: &B::Batch) -> Result<GradientReport> {
        let vars = self.vars();
        let loss = || {
            let mut ctx = Ctx::train(check.seed, 0).with_exact_gradients();
            let mut sum: Option<Tensor> = None;
            for task in 0..self.tasks().names().len() {
                let loss = self.loss(batch, task, &mut ctx)?;
                sum = Some(match sum {
                    Some(sum) => (sum + loss)?,
                    None => loss,
                });
            }
            sum.ok_or_else(|| Error::Mismatch("gradient check: the model has no task".into()))
        };
        let mut report = check.run(&vars, loss)?;
        let trained: BTreeSet<&str> = vars.iter().map(|(name, _)| name.as_str()).collect();
        let frozen = self.backbone().parameters()?.into_iter().filter(|(name, _)| !trained.contains(name.as_str()));
        report.frozen = frozen.filter(|(_, value)| value.track_op()).map(|(name, _)| name).collect();
        Ok(report)
    }
}
