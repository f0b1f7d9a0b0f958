//! The models of a server, and what computes for them.
//!
//! A request becomes a [`Job`] of one model. It waits in the model's [`Queue`], from which workers take [`Batch`](batch::Batch)es of
//! one task. What arrives while all workers compute becomes the next batches. A request that comes alone never waits for others; under
//! load a worker waits a twentieth of a batch's time for the clients that it has just answered.
//!
//! A batch has one task, because a labeller has the weights of its task merged into the backbone: no operation of the methods is left
//! in the forward pass, and its matrices can be in eight bits. Weights of several tasks in one pass, row by row, allow neither.

mod batch;
mod job;
mod model;
mod queue;
#[cfg(test)]
mod queue_tests;
mod registry;
mod tasks;
mod worker;

pub(super) use job::{Failure, Key, Text};
pub(super) use model::{Model, TaskInfo};
pub(super) use queue::Refused;
pub(super) use registry::{Registry, Unloaded};
