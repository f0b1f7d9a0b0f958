//! [`PeftT5`]: what is trained, evaluated and saved.

use std::borrow::Cow;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use datasets::encode::Batch;
use peft_core::{
    ActiveAdapters, AdapterWeights, Condition, Ctx, GeneratorConfig, PeftConfig, Plan, Tasks, WeightGenerator,
};
use peft_kernels::{SmoothedCrossEntropy, smoothed_cross_entropy};
use tracing::trace_span;

use super::Precision;
use crate::{Error, Result};
use peft_t5::{T5, T5Config, shift_right};

/// What a model is made of, beside its weights.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The backbone's shape.
    pub config: &'a T5Config,
    /// The methods.
    pub methods: &'a [Box<dyn PeftConfig>],
    /// The source of their weights.
    pub generator: &'a dyn GeneratorConfig,
    /// The names of the tasks.
    pub tasks: &'a Tasks,
}

/// A multi-task T5 with PEFT methods whose weights a generator supplies.
///
/// HyperLoader is {LoRA, bottleneck adapters} × {hypernetwork}; any other combination is built in the same way. The model
/// holds no trainable state of its own: variables live in the store behind the [`VarBuilder`]s that it was built from.
#[derive(Debug)]
pub struct PeftT5 {
    t5: T5,
    plan: Plan,
    generator: Box<dyn WeightGenerator>,
    tasks: Tasks,
    /// Whether linear maps get eight bits when the model is folded.
    int8: bool,
}

impl PeftT5 {
    /// Builds the backbone from `backbone` and the generator from `peft`.
    ///
    /// # Errors
    /// If a weight is missing or has another shape, a method matches no site, or a configuration cannot work.
    pub fn new(parts: Parts<'_>, backbone: VarBuilder<'_>, peft: VarBuilder<'_>) -> Result<Self> {
        Self::on(T5::new(parts.config, backbone)?, parts, peft)
    }

    /// The same on a backbone that is there already.
    pub(crate) fn on(t5: T5, parts: Parts<'_>, peft: VarBuilder<'_>) -> Result<Self> {
        let plan = Plan::resolve(t5.sites(), parts.methods)?;
        let generator = parts.generator.build(&plan, parts.tasks, peft)?;
        Ok(Self { t5, plan, generator, tasks: parts.tasks.clone(), int8: false })
    }

    /// The same model, which holds its linear maps in `dtype` when it is [merged](Self::merge).
    pub(crate) fn decoding_in(self, dtype: Precision) -> Self {
        Self { int8: dtype == Precision::Int8, ..self }
    }

    /// The backbone for decoding with fixed weights: [`T5::merge`] and, where the model is to be held in eight bits,
    /// [`T5::quantize`].
    ///
    /// # Errors
    /// As the methods' own.
    pub fn merge(&self, active: &ActiveAdapters<'_>) -> Result<T5> {
        let merged = self.t5.merge(active)?;
        Ok(if self.int8 { merged.quantize(active)? } else { merged })
    }

    /// The backbone.
    pub fn t5(&self) -> &T5 {
        &self.t5
    }

    /// Which method acts where.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The tasks, in the order of their numbers.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Generates the weights for `condition`, as part of the gradient graph.
    ///
    /// # Errors
    /// If a task is unknown or a tensor operation fails.
    pub fn weights(&self, condition: &Condition) -> Result<AdapterWeights> {
        Ok(self.generator.generate(condition)?)
    }

    /// The methods with the weights of `weights`, for a forward pass.
    ///
    /// # Errors
    /// If the weights was made for another plan.
    pub fn active<'a>(&'a self, weights: impl Into<Cow<'a, AdapterWeights>>) -> Result<ActiveAdapters<'a>> {
        Ok(ActiveAdapters::new(&self.plan, weights)?)
    }

    /// The label-smoothed cross-entropy of one batch, a scalar.
    ///
    /// Its parts are the [`tracing`] spans `generate`, `encoder`, `decoder` and `loss`, at level `TRACE`.
    ///
    /// # Errors
    /// If the batch holds no label, or a tensor operation fails.
    pub fn loss(
        &self,
        batch: &TensorBatch,
        condition: &Condition,
        loss: &SmoothedCrossEntropy,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let active = trace_span!("generate").in_scope(|| self.active(self.weights(condition)?))?;
        let encoder = || self.t5.encode(&batch.source, &batch.mask, &active, ctx);
        let encoded = trace_span!("encoder").in_scope(encoder)?;
        let decoder = || -> Result<Tensor> {
            let inputs = shift_right(&batch.labels, self.t5.config().decoder_start_token_id)?;
            Ok(self.t5.decode(&inputs, &encoded, &active, ctx)?)
        };
        let hidden = trace_span!("decoder").in_scope(decoder)?;
        let _span = trace_span!("loss").entered();
        let (hidden, labels) = (hidden.flatten_to(1)?, batch.labels.flatten_all()?);
        let weight = self.t5.output_weight(&active)?;
        Ok(smoothed_cross_entropy([&hidden, &weight, &labels], loss, ctx.kernels())?)
    }
}

/// A padded batch on the model's device.
#[derive(Debug, Clone)]
pub struct TensorBatch {
    /// Source ids, `[batch, source length]`, u32.
    pub source: Tensor,
    /// 1 for a source id, 0 for padding, `[batch, source length]`, u32.
    pub mask: Tensor,
    /// Target ids, `[batch, target length]`, u32.
    pub labels: Tensor,
    /// The number of labels that are no padding.
    pub label_tokens: usize,
}

impl TensorBatch {
    /// Copies a batch to `device`; labels equal to `pad` do not count.
    ///
    /// # Errors
    /// If the arrays do not have the sizes that the batch says.
    pub fn new(batch: Batch, pad: u32, device: &Device) -> Result<Self> {
        let shape = batch.shape;
        let sources = (shape.batch, shape.source_length);
        let label_tokens = batch.target.iter().filter(|&&id| id != pad).count();
        if label_tokens == 0 {
            return Err(Error::Training("a batch without a single label".into()));
        }
        Ok(Self {
            source: Tensor::from_vec(batch.source, sources, device)?,
            mask: Tensor::from_vec(batch.source_mask, sources, device)?,
            labels: Tensor::from_vec(batch.target, (shape.batch, shape.target_length), device)?,
            label_tokens,
        })
    }
}
