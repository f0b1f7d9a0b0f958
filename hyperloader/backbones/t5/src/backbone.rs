//! T5 as a backbone of [`PeftModel`](peft_core::PeftModel).

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_core::{ActiveAdapters, Backbone, Ctx, Merged, ParamStore, Sites};
use peft_kernels::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy};
use tracing::trace_span;

use crate::batch::T5Batch;
use crate::error::{Error, Result};
use crate::model::{T5, shift_right};

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
        let encoder = || self.encode(&batch.source, &batch.mask, active, ctx);
        let encoded = trace_span!("encoder").in_scope(encoder)?;
        let decoder = || {
            let inputs = shift_right(&batch.labels, self.config().decoder_start_token_id)?;
            self.decode(&inputs, &encoded, active, ctx)
        };
        let hidden = trace_span!("decoder").in_scope(decoder)?.flatten_to(1)?;
        let _span = trace_span!("loss").entered();
        let (weight, labels) = (self.output_weight(active)?, batch.labels.flatten_all()?);
        Ok(smoothed_cross_entropy([&hidden, &weight, &labels], loss, ctx.kernels())?)
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
        let ignore_index = self.config().pad_token_id;
        let mean = SmoothedCrossEntropy { label_smoothing: 0., ignore_index, reduction: Reduction::Mean };
        Ok(self.smoothed_loss(batch, &mean, active, ctx)?)
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
