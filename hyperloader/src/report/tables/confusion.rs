//! Which types are taken for which.

use super::{Cell, Table};
use crate::analysis::Confusion;
use crate::report::subject::Subject;

/// The most types of the matrix.
const MOST_TYPES: usize = 16;

/// The most pairs of the list.
const MOST_PAIRS: usize = 15;

/// The matrix of gold and predicted types, with what was missed and invented. Of many types those with the most errors are shown.
pub(in crate::report) fn confusion(subject: &Subject<'_>, confusion: &Confusion) -> Table {
    let all = confusion.types_by_errors();
    let mut shown: Vec<&str> = all.iter().copied().take(MOST_TYPES).collect();
    shown.sort_unstable();
    let caption = match all.len() - shown.len() {
        0 => "Confusion of types: a row for each gold type, a column for each predicted one".to_owned(),
        _ => format!(
            "Confusion of types: a row for each gold type, a column for each predicted one. The {} of {} types with the most errors",
            shown.len(),
            all.len()
        ),
    };
    let head = ["gold ↓ predicted →"].into_iter().chain(shown.iter().copied()).chain(["missed"]);
    let row = |gold: Option<&str>| {
        let columns = shown.iter().map(|name| Some(*name)).chain([None]);
        let counts: Vec<(Option<&str>, usize)> = columns.map(|name| (name, confusion.count(gold, name))).collect();
        let total: usize = counts.iter().map(|(_, count)| count).sum();
        let cell = |(predicted, count): &(Option<&str>, usize)| match (count, gold, predicted) {
            (_, None, None) => Cell::none(),
            (0, ..) => Cell::count(0),
            _ => Cell {
                shade: Some(*count as f64 / total.max(1) as f64),
                right: *predicted == gold,
                ..Cell::count(*count)
            },
        };
        let mut row = vec![Cell::text(gold.unwrap_or("invented"))];
        row.extend(counts.iter().map(cell));
        row
    };
    let rows = shown.iter().map(|name| Some(*name)).chain([None]).map(row);
    Table::new("confusion", subject.name(), caption).head(head).rows(rows).fixed()
}

/// The pairs of types that are confused most often; `None` if there are none.
pub(in crate::report) fn mistaken(subject: &Subject<'_>, confusion: &Confusion) -> Option<Table> {
    let pairs = confusion.mistaken();
    let row = |(gold, predicted, count): &(&str, &str, usize)| {
        vec![Cell::text(format!("{gold} → {predicted}")), Cell::count(*count)]
    };
    let caption = match pairs.len() {
        0 => return None,
        n if n <= MOST_PAIRS => "Types that were taken for others: gold → predicted".to_owned(),
        n => format!("Types that were taken for others: gold → predicted. The {MOST_PAIRS} most frequent of {n} pairs"),
    };
    let rows = pairs.iter().take(MOST_PAIRS).map(row);
    Some(Table::new("mistaken", subject.name(), caption).head(["gold → predicted", "spans"]).rows(rows))
}
