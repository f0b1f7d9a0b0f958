//! Errors by the length of the sentence.

use super::{Cell, Table};
use crate::analysis::LengthBin;
use crate::report::subject::Subject;

/// A row for each range of lengths.
pub(in crate::report) fn length_table(subject: &Subject<'_>, bins: &[LengthBin]) -> Table {
    let row = |bin: &LengthBin| {
        let f1 = if bin.support > 0 { Cell::percent(bin.f1) } else { Cell::none() };
        vec![
            Cell::text(bin.name()),
            Cell::count(bin.sentences),
            Cell::percent(bin.error_rate()),
            f1,
            Cell::count(bin.support),
        ]
    };
    Table::new("lengths", subject.name(), "Errors by the number of words of the sentence")
        .head(["words", "sentences", "with an error %", "F1", "gold spans"])
        .rows(bins.iter().map(row))
        .fixed()
}
