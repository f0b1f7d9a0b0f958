//! Counting right, predicted and gold spans, sentence by sentence.

use std::collections::{BTreeMap, HashSet};

use super::{Mode, SpanReport, spans};
use crate::{Error, Result};

/// The counts behind a [`SpanReport`]: add sentences as they come, join the counts of several workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanCounts {
    mode: Mode,
    pub(super) types: BTreeMap<String, TypeCounts>,
    pub(super) sentences: usize,
    pub(super) tokens: usize,
    pub(super) right_tokens: usize,
}

/// Spans of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TypeCounts {
    pub(super) gold: usize,
    pub(super) predicted: usize,
    pub(super) right: usize,
}

impl TypeCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.gold += other.gold;
        self.predicted += other.predicted;
        self.right += other.right;
    }
}

impl SpanCounts {
    /// No sentences yet.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Adds a sentence: its gold tags and as many predicted ones.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] (see [`labels::fit`](crate::labels::fit)), [`Error::MalformedTag`].
    pub fn add<G: AsRef<str>, P: AsRef<str>>(&mut self, gold: &[G], predicted: &[P]) -> Result<()> {
        if gold.len() != predicted.len() {
            return Err(Error::LengthMismatch {
                what: format!("sentence {}, gold and predicted tags", self.sentences + 1),
                left: gold.len(),
                right: predicted.len(),
            });
        }
        let gold_spans = spans(gold, self.mode)?;
        let predicted_spans = spans(predicted, self.mode)?;
        let right: HashSet<_> = gold_spans.iter().collect();
        for span in &gold_spans {
            self.of_type(span.kind).gold += 1;
        }
        for span in &predicted_spans {
            let counts = self.of_type(span.kind);
            counts.predicted += 1;
            counts.right += usize::from(right.contains(span));
        }
        self.sentences += 1;
        self.tokens += gold.len();
        let pairs = gold.iter().zip(predicted);
        self.right_tokens += pairs.filter(|(g, p)| g.as_ref() == p.as_ref()).count();
        Ok(())
    }

    /// Adds the counts of other sentences.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they were counted in the other mode.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.mode != other.mode {
            return Err(Error::Invalid("spans counted in strict and in default mode cannot be added".to_owned()));
        }
        for (kind, counts) in &other.types {
            self.of_type(kind).add(*counts);
        }
        self.sentences += other.sentences;
        self.tokens += other.tokens;
        self.right_tokens += other.right_tokens;
        Ok(())
    }

    /// The scores of what was counted so far.
    #[must_use]
    pub fn report(&self) -> SpanReport {
        SpanReport::of(self, self.mode)
    }

    fn of_type(&mut self, kind: &str) -> &mut TypeCounts {
        self.types.entry(kind.to_owned()).or_default()
    }
}

/// Scores predicted against gold tags, one sequence per sentence.
///
/// # Errors
/// [`Error::LengthMismatch`] if the sentences, or the tags of one, differ in number;
/// [`Error::MalformedTag`].
pub fn score<G, P, S, T>(gold: &[G], predicted: &[P], mode: Mode) -> Result<SpanReport>
where
    G: AsRef<[S]>,
    P: AsRef<[T]>,
    S: AsRef<str>,
    T: AsRef<str>,
{
    if gold.len() != predicted.len() {
        return Err(Error::LengthMismatch {
            what: "gold and predicted sentences".to_owned(),
            left: gold.len(),
            right: predicted.len(),
        });
    }
    let mut counts = SpanCounts::new(mode);
    for (gold, predicted) in gold.iter().zip(predicted) {
        counts.add(gold.as_ref(), predicted.as_ref())?;
    }
    Ok(counts.report())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn counts_of_two_workers_add_up_to_the_whole() {
        let gold = [["B-a", "O"], ["B-b", "I-b"], ["O", "B-a"]];
        let predicted = [["B-a", "O"], ["B-b", "O"], ["B-c", "B-a"]];
        let mut left = SpanCounts::new(Mode::Default);
        let mut right = SpanCounts::new(Mode::Default);
        left.add(&gold[0], &predicted[0]).unwrap();
        right.add(&gold[1], &predicted[1]).unwrap();
        right.add(&gold[2], &predicted[2]).unwrap();
        left.merge(&right).unwrap();
        assert_eq!(left.report(), score(&gold, &predicted, Mode::Default).unwrap());
        assert!(left.merge(&SpanCounts::new(Mode::Strict)).is_err());
    }

    #[test]
    fn different_lengths_are_an_error_that_counts_them() {
        let error = score(&[["O", "O"]], &[["O"]], Mode::Default).unwrap_err().to_string();
        assert!(error.contains("sentence 1") && error.contains("2 against 1"), "{error}");
        assert!(score(&[["O"], ["O"]], &[["O"]], Mode::Default).is_err());
    }
}
