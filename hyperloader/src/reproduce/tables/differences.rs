//! Whether one system of a suite is better than another.

use super::grid::Grid;
use super::results::SuiteResults;
use crate::reproduce::protocols::Protocol;
use crate::reproduce::record::SystemRecord;
use crate::reproduce::statistics::{Counts, Difference, holm, paired_bootstrap};

/// Draws of the bootstrap where nothing else is asked for.
pub const DRAWS: usize = 10_000;

/// The seed of the bootstrap.
const SEED: u64 = 2407;

/// The first system of a suite against each of the others, under the strict protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences<'a> {
    /// The first system.
    pub first: &'a SystemRecord,
    /// The comparisons: each other system on the average, then on each task.
    pub rows: Vec<Compared<'a>>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared<'a> {
    /// The other system.
    pub other: &'a SystemRecord,
    /// A task, or `average`.
    pub on: &'a str,
    /// The first system minus the other.
    pub difference: Difference,
    /// p with Holm's correction over all rows.
    pub corrected: f64,
}

impl<'a> Differences<'a> {
    /// The comparisons on `fraction` of the data, with `draws` draws. `None` if no two systems have finished the same cells.
    pub fn of(results: &'a SuiteResults, fraction: f64, draws: usize) -> Option<Self> {
        let record = &results.record;
        let (first, others) = record.systems.split_first()?;
        let grid = Grid::new(results, fraction, Protocol::Strict);
        let counts = |system: &str, tasks: &[String]| -> Option<Vec<Vec<Vec<Counts>>>> {
            tasks.iter().map(|task| grid.counts(system, task)).collect()
        };
        let columns: Vec<(&str, &[String])> = std::iter::once(("average", record.tasks.as_slice()))
            .chain(record.tasks.iter().map(|task| (task.as_str(), std::slice::from_ref(task))))
            .collect();
        let mut found = Vec::new();
        for other in others {
            for &(on, tasks) in &columns {
                let pair = counts(&first.name, tasks).zip(counts(&other.name, tasks));
                let difference = pair.and_then(|(a, b)| paired_bootstrap(&a, &b, draws, SEED));
                found.extend(difference.map(|difference| (other, on, difference)));
            }
        }
        let corrected = holm(&found.iter().map(|(_, _, difference)| difference.p).collect::<Vec<_>>());
        let compared = |((other, on, difference), corrected)| Compared { other, on, difference, corrected };
        let rows: Vec<Compared<'a>> = found.into_iter().zip(corrected).map(compared).collect();
        (!rows.is_empty()).then_some(Self { first, rows })
    }
}
