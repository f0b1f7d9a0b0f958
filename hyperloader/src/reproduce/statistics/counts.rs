//! The counts of spans that F1 is computed from.

use std::collections::HashSet;
use std::ops::Add;

use datasets::metrics::{ScoringMode, spans};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Spans of one or more sentences. In files it is a list of the three numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u32; 3]", into = "[u32; 3]")]
pub struct Counts {
    /// Gold spans.
    pub gold: u32,
    /// Predicted spans.
    pub predicted: u32,
    /// Predicted spans that are gold spans: type, start and end are the same.
    pub right: u32,
}

impl Counts {
    /// `right / predicted`; 0 without predictions.
    pub fn precision(self) -> f64 {
        ratio(self.right, self.predicted)
    }

    /// `right / gold`; 0 without gold spans.
    pub fn recall(self) -> f64 {
        ratio(self.right, self.gold)
    }

    /// `2 right / (gold + predicted)`: micro-F1; 0 without spans.
    pub fn f1(self) -> f64 {
        ratio(2 * self.right, self.gold + self.predicted)
    }
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0. } else { f64::from(part) / f64::from(whole) }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            gold: self.gold + other.gold,
            predicted: self.predicted + other.predicted,
            right: self.right + other.right,
        }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

impl From<[u32; 3]> for Counts {
    fn from([gold, predicted, right]: [u32; 3]) -> Self {
        Self { gold, predicted, right }
    }
}

impl From<Counts> for [u32; 3] {
    fn from(counts: Counts) -> Self {
        [counts.gold, counts.predicted, counts.right]
    }
}

/// The counts of one sentence.
///
/// # Errors
/// If a tag is not a BIO tag.
pub fn sentence_counts<G: AsRef<str>, P: AsRef<str>>(gold: &[G], predicted: &[P], mode: ScoringMode) -> Result<Counts> {
    let (gold, predicted) = (spans(gold, mode)?, spans(predicted, mode)?);
    let known: HashSet<_> = gold.iter().collect();
    let right = predicted.iter().filter(|span| known.contains(span)).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Counts { gold: number(gold.len()), predicted: number(predicted.len()), right: number(right) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_right_with_its_type_and_borders() {
        let counts = |gold: [&str; 3], predicted: [&str; 3], mode| sentence_counts(&gold, &predicted, mode).unwrap();
        let loose = counts(["B-a", "I-a", "B-b"], ["B-a", "I-a", "I-b"], ScoringMode::Default);
        assert_eq!(loose, Counts { gold: 2, predicted: 2, right: 2 });
        let strict = counts(["B-a", "I-a", "B-b"], ["B-a", "I-a", "I-b"], ScoringMode::Strict);
        assert_eq!(strict, Counts { gold: 2, predicted: 1, right: 1 });
        assert_eq!((strict.precision(), strict.recall(), strict.f1()), (1., 0.5, 2. / 3.));
        assert_eq!(Counts::default().f1(), 0.);
    }
}
