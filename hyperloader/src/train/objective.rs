//! What is trained for: the side of training that knows data.

use candle_core::Tensor;
use peft_core::Ctx;

use crate::Result;

/// The loss of one micro-batch.
#[derive(Debug)]
pub struct MicroBatch {
    /// The loss, a scalar with its graph.
    pub loss: Tensor,
    /// The labels that it is over.
    pub tokens: usize,
}

/// A validation score.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The number that selects the best checkpoint; higher is better.
    pub selection: f64,
    /// Everything worth a line in the log, by name.
    pub scalars: Vec<(String, f64)>,
}

/// Something to train for.
pub trait Objective {
    /// Begins the next step and returns the name under which it is logged, such as the step's task.
    ///
    /// # Errors
    /// If there is no data.
    fn begin_step(&mut self) -> Result<Option<String>>;

    /// The loss of the step's next micro-batch.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn draw(&mut self, ctx: &mut Ctx) -> Result<MicroBatch>;

    /// Small losses that between them must reach every trainable variable, for the check before the first step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>>;

    /// The score on held-out data; `None` where there is none.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn validate(&self) -> Result<Option<Score>>;

    /// What a checkpoint must keep of the objective (the state of its samplers).
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    fn state(&self) -> Result<serde_json::Value>;

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// If the state is of other data.
    fn restore(&mut self, state: serde_json::Value) -> Result<()>;
}
