//! The checks, each a function from what is checked to what was found.

mod merging;
mod outputs;
mod refusals;
mod rows;
mod training;

use super::report::Outcome;
use super::subject::Subject;
use crate::Result;

type Check = fn(&Subject<'_>) -> Result<Outcome>;

/// Every check by name.
pub(super) const ALL: [(&str, Check); 12] = [
    ("identity at initialization", outputs::identity),
    ("differs after a step", training::differs_after_a_step),
    ("gradients on its weights", training::gradients),
    ("merged = unmerged", merging::merged),
    ("save, load", outputs::saved),
    ("disabled = bare", outputs::disabled),
    ("mixed = separate batches", rows::mixed_batch),
    ("batched generation", rows::batched_generation),
    ("dropout in training alone", training::dropout),
    ("every row counts alone", rows::row_alone),
    ("wrong shapes refused", refusals::shapes),
    ("unknown targets refused", refusals::targets),
];
