//! The scores of a suite by system and task.

use crate::reproduce::protocols::Protocol;
use crate::reproduce::statistics::{Counts, mean, standard_deviation};

use super::results::SuiteResults;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Average {
    /// The mean.
    pub mean: f64,
    /// The standard deviation; `None` of one seed.
    pub deviation: Option<f64>,
    /// The number of seeds.
    pub seeds: usize,
}

impl Average {
    /// The mean of `values`; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        Some(Self { mean: mean(values)?, deviation: standard_deviation(values), seeds: values.len() })
    }
}

/// The scores of all systems with one share of the data, by one protocol.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a> {
    results: &'a SuiteResults,
    fraction: f64,
    protocol: Protocol,
}

impl<'a> Grid<'a> {
    /// The scores in `results` at `fraction` by `protocol`.
    pub fn new(results: &'a SuiteResults, fraction: f64, protocol: Protocol) -> Self {
        Self { results, fraction, protocol }
    }

    /// The micro-F1 of `system` on `task` with `seed`, in [0, 1]; `None` if the cell is not finished.
    pub fn score(&self, system: &str, task: &str, seed: u64) -> Option<f64> {
        let mut cells = self.results.cells.iter().filter(|(result, _)| {
            result.cell.system == system && result.cell.fraction == self.fraction && result.cell.seed == seed
        });
        cells.find_map(|(result, _)| Some(result.scores.get(task)?.get(&self.protocol)?.micro_f1))
    }

    /// The mean over the finished seeds of the micro-F1 of `system` on `task`.
    pub fn task(&self, system: &str, task: &str) -> Option<Average> {
        let seeds = &self.results.record.seeds;
        Average::of(&seeds.iter().filter_map(|seed| self.score(system, task, *seed)).collect::<Vec<_>>())
    }

    /// The mean over seeds of the average over all tasks. A seed counts once all its tasks are finished.
    pub fn average(&self, system: &str) -> Option<Average> {
        let tasks = &self.results.record.tasks;
        let of_seed = |seed: &u64| -> Option<f64> {
            let scores: Vec<f64> = tasks.iter().map(|task| self.score(system, task, *seed)).collect::<Option<_>>()?;
            mean(&scores)
        };
        Average::of(&self.results.record.seeds.iter().filter_map(of_seed).collect::<Vec<_>>())
    }

    /// The counts of each sentence of `task` for each seed; `None` unless all seeds are finished.
    pub fn counts(&self, system: &str, task: &str) -> Option<Vec<Vec<Counts>>> {
        let of_seed = |seed: &u64| {
            let mut cells = self.results.cells.iter().filter(|(result, _)| {
                result.cell.system == system && result.cell.fraction == self.fraction && result.cell.seed == *seed
            });
            cells.find_map(|(_, counts)| counts.get(&self.protocol)?.get(task).cloned())
        };
        self.results.record.seeds.iter().map(of_seed).collect()
    }
}
