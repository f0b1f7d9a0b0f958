//! T5 as a backbone of [`PeftModel`](peft_core::PeftModel).

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_core::{ActiveAdapters, Backbone, BatchAdapters, Ctx, Merged, ParamStore, Sites, Stack, States};
use peft_kernels::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy};
use tracing::trace_span;

use crate::batch::T5Batch;
use crate::error::{Error, Result};
use crate::model::{T5, shift_right};
use crate::packed::Encoded;

impl T5 {
    /// The label-smoothed cross-entropy of one batch, a scalar. Its parts are the `tracing` spans `encoder`, `decoder` and `loss`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`output_weight`](Self::output_weight).
    pub fn smoothed_loss(
        &self,
        batch: &T5Batch,
        loss: &SmoothedCrossEntropy,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let encoded = self.encode_batch(batch, active, ctx)?;
        self.loss_of((&encoded, &batch.labels), loss, active, ctx)
    }

    /// The same with the adapters of this batch. If they hold the encoder's output, it is not computed again.
    ///
    /// # Errors
    /// As [`smoothed_loss`](Self::smoothed_loss).
    pub fn smoothed_loss_with(
        &self,
        batch: &T5Batch,
        loss: &SmoothedCrossEntropy,
        adapters: &BatchAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let encoded = match adapters.states(&Stack::ENCODER) {
            Some(states) => Encoded::from_states(states)?,
            None => self.encode_batch(batch, &adapters.active, ctx)?,
        };
        self.loss_of((&encoded, &batch.labels), loss, &adapters.active, ctx)
    }

    fn encode_batch(&self, batch: &T5Batch, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        trace_span!("encoder").in_scope(|| self.encode(&batch.source, &batch.mask, active, ctx))
    }

    fn loss_of(
        &self,
        (encoded, labels): (&Encoded, &Tensor),
        loss: &SmoothedCrossEntropy,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let decoder = || {
            let inputs = shift_right(labels, self.config().decoder_start_token_id)?;
            self.decode(&inputs, encoded, active, ctx)
        };
        let hidden = trace_span!("decoder").in_scope(decoder)?.flatten_to(1)?;
        let _span = trace_span!("loss").entered();
        let (weight, labels) = (self.output_weight(active)?, labels.flatten_all()?);
        Ok(smoothed_cross_entropy([&hidden, &weight, &labels], loss, ctx.kernels())?)
    }

    /// The mean cross-entropy of the labels that are not padding.
    fn mean_loss(&self) -> SmoothedCrossEntropy {
        let ignore_index = self.config().pad_token_id;
        SmoothedCrossEntropy { label_smoothing: 0., ignore_index, reduction: Reduction::Mean }
    }
}

impl Backbone for T5 {
    type Batch = T5Batch;

    fn sites(&self) -> &Sites {
        self.sites()
    }

    fn name(&self) -> Option<&str> {
        self.name()
    }

    fn device(&self) -> &Device {
        self.device()
    }

    fn parameters(&self) -> peft_core::Result<BTreeMap<String, Tensor>> {
        Ok(self.parameters()?)
    }

    fn train(self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> peft_core::Result<Self> {
        Ok(self.train_where(covers, store)?)
    }

    /// The mean cross-entropy of the labels that are not padding.
    fn loss(&self, batch: &T5Batch, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> peft_core::Result<Tensor> {
        Ok(self.smoothed_loss(batch, &self.mean_loss(), active, ctx)?)
    }

    fn gives_states(&self, stack: &Stack) -> bool {
        *stack == Stack::ENCODER
    }

    /// The output of the encoder. The decoder's exists only once its weights do.
    fn states(
        &self,
        stack: &Stack,
        batch: &T5Batch,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> peft_core::Result<States> {
        if !self.gives_states(stack) {
            return Err(peft_core::Error::Mismatch(format!("T5 gives the output of its encoder, not of {stack}")));
        }
        Ok(self.encode_batch(batch, active, ctx)?.states()?)
    }

    fn loss_with(&self, batch: &T5Batch, adapters: &BatchAdapters<'_>, ctx: &mut Ctx) -> peft_core::Result<Tensor> {
        Ok(self.smoothed_loss_with(batch, &self.mean_loss(), adapters, ctx)?)
    }

    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> peft_core::Result<Merged<Self>> {
        Ok(self.merge_and_unload(active)?)
    }
}

impl From<Error> for peft_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Peft(error) => error,
            Error::Candle(error) => Self::Candle(error),
            Error::File(peft_files::Error { path, source }) => Self::file(path, source),
            other => Self::Mismatch(other.to_string()),
        }
    }
}
