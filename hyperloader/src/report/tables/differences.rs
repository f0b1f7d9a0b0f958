//! Whether one system of a suite is better than another.

use super::{Cell, Table};
use crate::report::read::Suite;
use crate::reproduce::tables::{Compared, DRAWS, Differences};

/// The first system of the suite against each other one, as in the suite's own tables; one table for each share of the data.
pub(in crate::report) fn differences(suite: &Suite) -> Vec<Table> {
    suite.results.record.fractions.iter().rev().filter_map(|fraction| table(suite, *fraction)).collect()
}

fn table(suite: &Suite, fraction: f64) -> Option<Table> {
    let Differences { first, rows } = Differences::of(&suite.results, fraction, DRAWS)?;
    let caption = format!(
        "{}: {} minus another system, micro-F1 in points, {} % of the data, protocol strict. 95 % interval and p of a paired \
         bootstrap over test sentences ({DRAWS} draws); p corrected by Holm over the {} rows",
        suite.label,
        first.title,
        100. * fraction,
        rows.len()
    );
    let row = |Compared { other, on, difference, corrected }: Compared<'_>| {
        let points = |value: f64| Cell { text: format!("{:+.2}", 100. * value), ..Cell::number(100. * value, 2) };
        vec![
            Cell::text(format!("{}, {on}", other.title)),
            points(difference.difference),
            points(difference.low),
            points(difference.high),
            Cell::number(difference.p, 4),
            Cell::number(corrected, 4),
        ]
    };
    let table = Table::new("differences", format!("{} · {} %", suite.label, 100. * fraction), caption);
    let table = table.head(["against", "difference", "from", "to", "p", "p, corrected"]);
    Some(table.rows(rows.into_iter().map(row)))
}
