//! Scoring all sentences at once.

use super::counts::SpanCounts;
use super::report::SpanReport;
use super::spans::ScoringMode;
use crate::error::{Error, Result};

/// Scores predicted against gold tags, one sequence per sentence.
///
/// # Errors
/// [`Error::LengthMismatch`] if the numbers of sentences differ, or the numbers of tags of a sentence;
/// [`Error::MalformedTag`].
pub fn score<G, P, S, T>(gold: &[G], predicted: &[P], mode: ScoringMode) -> Result<SpanReport>
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
        let mut left = SpanCounts::new(ScoringMode::Default);
        let mut right = SpanCounts::new(ScoringMode::Default);
        left.add(&gold[0], &predicted[0]).unwrap();
        right.add(&gold[1], &predicted[1]).unwrap();
        right.add(&gold[2], &predicted[2]).unwrap();
        left.merge(&right).unwrap();
        assert_eq!(left.report(), score(&gold, &predicted, ScoringMode::Default).unwrap());
        assert!(left.merge(&SpanCounts::new(ScoringMode::Strict)).is_err());
    }

    #[test]
    fn different_lengths_are_an_error_that_counts_them() {
        let error = score(&[["O", "O"]], &[["O"]], ScoringMode::Default).unwrap_err().to_string();
        assert!(error.contains("sentence 1") && error.contains("2 against 1"), "{error}");
        assert!(score(&[["O"], ["O"]], &[["O"]], ScoringMode::Default).is_err());
    }
}
