//! A wrapped model with methods.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::model::Wrapped;
use super::source::IntoVarBuilder;
use crate::{Ctx, IntoCondition, PeftModel, PeftModelBuilder, Result};

impl<M> PeftModel<Wrapped<M>> {
    /// Starts to build a model on any candle model that loads from a [`VarBuilder`], without a change to its code. See [`Wrapped`] for
    /// how it works, what it costs, and which methods it can have.
    ///
    /// `weights` is a folder, a file, tensors by name, or a `VarBuilder` of any kind ([`IntoVarBuilder`]). `build` makes the model of
    /// them. [`loss`](PeftModelBuilder::loss) says what to train for.
    ///
    /// ```
    /// use candle_core::{DType, Device, Module, Tensor};
    /// use candle_nn::{linear, loss::mse};
    /// use peft_core::toy::Scale;
    /// use peft_core::{Ctx, ParamStore, PeftModel};
    ///
    /// let weights = ParamStore::new(7, &Device::Cpu).var_builder(); // seeded random weights
    /// let model = PeftModel::wrap(weights, |vb| linear(4, 2, vb.pp("layers.0.up")))?
    ///     .loss(|up, (x, y): &(Tensor, Tensor), _| mse(&up.forward(x)?, y))
    ///     .method(Scale::new(["up"]))
    ///     .build()?;
    ///
    /// let x = Tensor::ones((3, 4), DType::F32, &Device::Cpu)?;
    /// let batch = (x, Tensor::ones((3, 2), DType::F32, &Device::Cpu)?);
    /// let gradients = model.loss(&batch, "default", &mut Ctx::train(42, 0))?.backward()?;
    /// assert!(model.vars().iter().all(|(_, var)| gradients.get(var).is_some()));
    /// # Ok::<(), peft_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Wrapped::new`].
    pub fn wrap<'a>(
        weights: impl IntoVarBuilder<'a>,
        build: impl Fn(VarBuilder<'_>) -> candle_core::Result<M> + Send + Sync + 'static,
    ) -> Result<PeftModelBuilder<Wrapped<M>>> {
        Ok(Self::builder(Wrapped::new(weights, build)?))
    }
}

impl<M, B> PeftModel<Wrapped<M, B>> {
    /// The model with the active adapters of a task in its weights, for inference or for a loss of one's own. Build it anew after each
    /// training step. For fast inference, merge first ([`merge_and_unload`](Self::merge_and_unload)): these weights are part of the
    /// gradient graph.
    ///
    /// It does not refuse methods with dropout in their branch, which has no effect outside training; [`loss`](Self::loss) does in
    /// training.
    ///
    /// # Errors
    /// As [`weights`](Self::weights) and [`Wrapped::build`].
    pub fn adapted(&self, task: impl IntoCondition) -> Result<M> {
        self.backbone().build(&self.active(task)?)
    }
}

impl<M, B> PeftModelBuilder<Wrapped<M, B>> {
    /// Sets the loss of a wrapped model: a scalar for the model, with the methods in its weights, and a batch of any type. The context
    /// tells whether this is training.
    pub fn loss<C>(
        self,
        loss: impl Fn(M, &C, &mut Ctx) -> candle_core::Result<Tensor> + Send + Sync + 'static,
    ) -> PeftModelBuilder<Wrapped<M, C>> {
        self.map_backbone(|wrapped| wrapped.loss(loss))
    }
}
