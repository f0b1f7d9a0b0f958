//! The numbers of the reliability diagram.

use super::{Cell, Table};
use crate::analysis::Calibration;
use crate::report::subject::Subject;

/// A row for each bin that has spans.
pub(in crate::report) fn calibration_table(subject: &Subject<'_>, found: &Calibration) -> Table {
    let mut caption = format!(
        "Calibration of {} predicted spans: expected calibration error {:.2} %, largest gap {:.2} %",
        found.spans,
        100. * found.expected_error,
        100. * found.largest_error
    );
    if found.without > 0 {
        caption += &format!("; {} spans without confidence are left out", found.without);
    }
    let row = |bin: &crate::analysis::ConfidenceBin| {
        let name = format!("{:.1}–{:.1}", bin.from, bin.to);
        vec![Cell::text(name), Cell::count(bin.spans), Cell::percent(bin.confidence), Cell::percent(bin.precision)]
    };
    let rows = found.bins.iter().filter(|bin| bin.spans > 0).map(row);
    Table::new("calibration", subject.name(), caption)
        .head(["confidence", "spans", "mean confidence %", "right %"])
        .rows(rows)
        .fixed()
}
