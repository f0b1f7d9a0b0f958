//! The comparisons of the paper, and those that it lacks: every system, ablation and share of the data from one call.
//!
//! A [`SuitePlan`] is a list of [`Cell`]s: a system on one share of the data with one seed. [`run_suite`] trains and scores those
//! that are not finished, in one process or in several that share the folder, and writes the tables.
//!
//! - What is compared: `suite` (which systems, how much data), `systems` (a configuration file each, in the folder of that name), `scale` (backbone and length
//!   of training), `corpora`. `compose` makes one configuration of the four, and `plan` one for each cell.
//! - How it runs: `work` (the queue), `claim` (who works on what), `record` (`suite.json`), `scoring` and `outcome` (`cell.json`).
//! - What comes out: `protocols` (how predictions are made and scored), `statistics`, `tables`.
//! - `estimate`: what it will cost.

mod cell;
mod claim;
mod compose;
mod corpora;
mod estimate;
mod outcome;
mod plan;
mod protocols;
mod ranks;
mod record;
mod scale;
mod scoring;
pub mod statistics;
mod suite;
mod systems;
pub mod tables;
mod work;

pub use cell::Cell;
pub use compose::compose;
pub use corpora::{CorpusSource, corpora, find_corpora};
pub use estimate::{Estimate, estimate};
pub use outcome::{CELL_FILE, CellResult, Score, SentenceCounts};
pub use plan::{SuiteOptions, SuitePlan};
pub use protocols::{Protocol, TaskPredictions, predict_task, test_sentences};
pub use record::{SUITE_FILE, SuiteRecord, SystemRecord};
pub use scale::{Kind, Scale, ScaleSettings};
pub use scoring::{score_cell, sentences};
pub use suite::{Entry, Models, Suite};
pub use systems::{System, system_names};
pub use work::{WorkOptions, run_suite};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
