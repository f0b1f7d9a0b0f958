//! What is trained for: the side of training that knows data.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use peft_core::Ctx;

use super::Ranks;
use crate::Result;

/// The data of one optimizer step, without any loss.
///
/// `B` describes a micro-batch and holds no gradient graph: the trainer computes one loss at a time, and frees its graph
/// before the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<B> {
    /// The name under which the step is logged, such as its task.
    pub name: Option<String>,
    /// Its micro-batches, in their order.
    pub micro_batches: Vec<B>,
}

/// The loss of one micro-batch.
#[derive(Debug)]
pub struct Loss {
    /// The loss, a scalar with its graph.
    pub value: Tensor,
    /// The number of labels it covers.
    pub tokens: usize,
}

/// A validation score.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The number that selects the best checkpoint; higher is better.
    pub selection: f64,
    /// All numbers to log, by name.
    pub scalars: Vec<(String, f64)>,
}

/// Something to train for.
pub trait Objective {
    /// A micro-batch before its loss is computed.
    type MicroBatch;

    /// Draws the next step: exactly `micro_batches` micro-batches.
    ///
    /// # Errors
    /// If there is no data.
    fn next_step(&mut self, micro_batches: NonZeroUsize) -> Result<Step<Self::MicroBatch>>;

    /// The loss of one micro-batch, with its graph.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn loss(&self, micro_batch: Self::MicroBatch, ctx: &mut Ctx) -> Result<Loss>;

    /// Small losses that together reach every trainable variable, for the check before the first step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>>;

    /// The score on held-out data; `None` if there is none. The `ranks` share the work, and all return the same.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn validate(&self, ranks: &Ranks) -> Result<Option<Score>>;

    /// What a checkpoint must keep of the objective: the state of its samplers after the last started step.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    fn state(&self) -> Result<serde_json::Value>;

    /// Continues from a saved state.
    ///
    /// # Errors
    /// If the state belongs to other data.
    fn restore(&mut self, state: serde_json::Value) -> Result<()>;
}
