//! One subject in detail.

use serde::Serialize;

use crate::Result;
use crate::analysis::{Confusion, by_length, calibration};
use crate::report::charts::{Figure, length_chart, reliability_diagram};
use crate::report::subject::Subject;
use crate::report::tables::{Table, calibration_table, confusion, length_table, mistaken, outcomes, types};

/// The number of intervals of confidence.
const BINS: usize = 10;

/// One subject in detail: errors, types, confusion, lengths, calibration.
#[derive(Debug, Serialize)]
pub(super) struct Study {
    name: String,
    sentences: usize,
    wrong: usize,
    outcomes: Table,
    types: Table,
    confusion: Table,
    mistaken: Vec<Table>,
    length_chart: Figure,
    lengths: Table,
    /// Chart and table; none if the predictions have no confidence.
    reliability: Vec<Figure>,
    calibration: Vec<Table>,
}

/// A study of each subject that has sentences.
///
/// # Errors
/// If a chart cannot be drawn.
pub(super) fn studies(subjects: &[Subject<'_>]) -> Result<Vec<Study>> {
    subjects.iter().filter(|subject| !subject.sentences.is_empty()).map(study).collect()
}

fn study(subject: &Subject<'_>) -> Result<Study> {
    let found = Confusion::of(subject.sentences);
    let bins = by_length(subject.sentences)?;
    let calibrated = calibration(subject.sentences, BINS);
    Ok(Study {
        name: subject.name(),
        sentences: subject.sentences.len(),
        wrong: subject.sentences.iter().filter(|sentence| sentence.is_wrong()).count(),
        outcomes: outcomes(subject),
        types: types(subject)?,
        confusion: confusion(subject, &found),
        mistaken: mistaken(subject, &found).into_iter().collect(),
        length_chart: length_chart(&bins)?,
        lengths: length_table(subject, &bins),
        reliability: calibrated.iter().map(reliability_diagram).collect::<Result<_>>()?,
        calibration: calibrated.iter().map(|found| calibration_table(subject, found)).collect(),
    })
}

impl Study {
    /// Its tables, in the order of the page.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        let first = [&self.outcomes, &self.types, &self.confusion].into_iter();
        first.chain(&self.mistaken).chain([&self.lengths]).chain(&self.calibration)
    }
}
