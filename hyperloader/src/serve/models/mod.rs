//! The models of a server, and what computes for them.
//!
//! A request becomes a [`Job`] of one model. It waits in the model's [`Queue`], from which workers take [`Batch`](queue::Batch)es of
//! one task. What arrives while all workers compute becomes the next batches; nothing waits for a clock.
//!
//! A batch has one task, because a labeller has the weights of its task merged into the backbone: no operation of the methods is left
//! in the forward pass, and its matrices can be in eight bits. Weights of several tasks in one pass, row by row, allow neither.

mod job;
mod model;
mod queue;
mod registry;
mod tasks;
mod worker;

pub(super) use job::{Failure, Key, Text};
pub(super) use model::{Model, TaskInfo};
pub(super) use queue::Refused;
pub(super) use registry::{Registry, Unloaded};
