//! Whether one system of a suite is better than another.

use super::{Cell, Table};
use crate::report::read::Suite;
use crate::reproduce::Protocol;
use crate::reproduce::statistics::{Difference, holm, paired_bootstrap};
use crate::reproduce::tables::Grid;

/// The draws of the bootstrap, and their seed.
const DRAWS: usize = 1000;
const SEED: u64 = 2407;

/// The first system of the suite against each other one, on the average of the corpora; one table for each share of the data.
pub(in crate::report) fn differences(suite: &Suite) -> Vec<Table> {
    suite.results.record.fractions.iter().rev().filter_map(|fraction| table(suite, *fraction)).collect()
}

fn table(suite: &Suite, fraction: f64) -> Option<Table> {
    let record = &suite.results.record;
    let (first, others) = record.systems.split_first()?;
    let grid = Grid::new(&suite.results, fraction, Protocol::Strict);
    let counts = |system: &str| record.tasks.iter().map(|task| grid.counts(system, task)).collect::<Option<Vec<_>>>();
    let own = counts(&first.name)?;
    let found: Vec<(&str, Difference)> = others
        .iter()
        .filter_map(|other| Some((other.title.as_str(), paired_bootstrap(&own, &counts(&other.name)?, DRAWS, SEED)?)))
        .collect();
    if found.is_empty() {
        return None;
    }
    let corrected = holm(&found.iter().map(|(_, difference)| difference.p).collect::<Vec<_>>());
    let row = |((other, difference), corrected): (&(&str, Difference), f64)| {
        let points = |value: f64| Cell { text: format!("{:+.2}", 100. * value), ..Cell::number(100. * value, 2) };
        vec![
            Cell::text(*other),
            points(difference.difference),
            points(difference.low),
            points(difference.high),
            Cell::number(difference.p, 4),
            Cell::number(corrected, 4),
        ]
    };
    let caption = format!(
        "{}: {} minus another system, mean micro-F1 in points, {} % of the data, protocol strict. 95 % interval and p of a paired \
         bootstrap over test sentences ({DRAWS} draws); p corrected by Holm over the {} rows",
        suite.label,
        first.title,
        100. * fraction,
        found.len()
    );
    let table = Table::new("differences", format!("{} · {} %", suite.label, 100. * fraction), caption);
    let table = table.head(["against", "difference", "from", "to", "p", "p, corrected"]);
    Some(table.rows(found.iter().zip(corrected).map(row)))
}
