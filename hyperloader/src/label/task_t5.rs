//! A T5 that is ready to label for one task.

use std::borrow::Cow;

use peft_core::{ActiveAdapters, Condition, Ctx, IntoCondition, PeftModel, Stack};
use peft_t5::Encoded;
use peft_t5::T5;
use peft_t5::decode::Source;

use crate::{Error, Result};

/// The backbone of a model with the adapters of one task, detached from the gradient graph.
#[derive(Debug)]
pub(crate) struct TaskT5<'a> {
    t5: T5,
    adapters: TaskAdapters<'a>,
}

/// When the weights of a task are generated.
#[derive(Debug)]
enum TaskAdapters<'a> {
    /// Once, and merged into the backbone where that is possible.
    Once(ActiveAdapters<'a>),
    /// For each batch, because the generator sees it.
    PerBatch { model: &'a PeftModel<T5>, task: Condition },
}

/// Encoded sentences with the adapters that decode them.
#[derive(Debug)]
pub(crate) struct EncodedSentences<'a> {
    t5: &'a T5,
    encoded: Encoded,
    active: Cow<'a, ActiveAdapters<'a>>,
}

impl EncodedSentences<'_> {
    /// What decoding reads.
    pub(crate) fn source(&self) -> Source<'_> {
        Source::new(self.t5, &self.encoded, &self.active)
    }
}

impl<'a> TaskT5<'a> {
    /// `model` for one task; with `int8` its linear maps are in eight bits.
    ///
    /// # Errors
    /// If the model does not know the task or its generator needs vectors, which a sentence does not have; if a tensor operation
    /// fails.
    pub(crate) fn new(model: &'a PeftModel<T5>, task: impl IntoCondition, int8: bool) -> Result<Self> {
        let task = task.into_condition(model.tasks())?;
        let needs = model.needs();
        if needs.vectors.is_some() {
            return Err(Error::Config(format!(
                "the generator {:?} needs a vector for each sentence, and sentences to label come without one; generate the weights \
                 with PeftModel::active and decode with peft_t5::decode",
                model.parts().generator.typetag_name()
            )));
        }
        let active = match needs.is_empty() {
            true => model.active(task.clone())?.detach(),
            false => model.active_before_generation(task.clone())?.detach(),
        };
        // Methods whose weights change with each batch act on the quantized maps.
        let t5 = model.backbone().merge(&active)?;
        let t5 = if int8 { t5.quantize(&active)? } else { t5 };
        let adapters = match needs.is_empty() {
            true => TaskAdapters::Once(active),
            false => TaskAdapters::PerBatch { model, task },
        };
        Ok(Self { t5, adapters })
    }

    /// The backbone.
    pub(crate) fn t5(&self) -> &T5 {
        &self.t5
    }

    /// Encodes sentences of token ids, and generates the weights that depend on them.
    ///
    /// # Errors
    /// If an id is outside the vocabulary or a tensor operation fails.
    pub(crate) fn encode(&self, sentences: &[&[u32]]) -> Result<EncodedSentences<'_>> {
        let (t5, ctx) = (&self.t5, &mut Ctx::eval());
        let (model, task) = match &self.adapters {
            TaskAdapters::Once(active) => {
                let encoded = t5.encode_packed(sentences, active, ctx)?;
                return Ok(EncodedSentences { t5, encoded, active: Cow::Borrowed(active) });
            }
            TaskAdapters::PerBatch { model, task } => (model, task),
        };
        let before = model.active_before_generation(task.clone())?.detach();
        let seen = t5.encode_packed(sentences, &before, ctx)?;
        let adapters = model.prepare_from(task.clone(), vec![seen.states()?])?;
        let active = adapters.active.detach();
        let encoded = match adapters.states(&Stack::ENCODER) {
            Some(states) => Encoded::from_states(states)?,
            None => t5.encode_packed(sentences, &active, ctx)?,
        };
        Ok(EncodedSentences { t5, encoded, active: Cow::Owned(active) })
    }
}
