//! Sentences for the tests of this room.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::Sentence;
use crate::eval::PredictedSpan;

/// A span without a score.
pub(super) fn span(kind: &str, start: usize, end: usize) -> PredictedSpan {
    PredictedSpan { kind: kind.to_owned(), start, end, score: None }
}

/// A sentence of as many words as `gold` has tags; both are tags separated by spaces.
pub(super) fn sentence(gold: &str, predicted: &str) -> Sentence {
    let tags = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let words = (0..tags(gold).len()).map(|n| format!("w{n}")).collect();
    Sentence::new(words, tags(gold), tags(predicted), Vec::new()).unwrap()
}

/// A sentence in which each predicted span has the score of the list.
pub(super) fn scored(gold: &str, predicted: &str, scores: &[f64]) -> Sentence {
    let mut sentence = sentence(gold, predicted);
    for (span, score) in sentence.predicted.iter_mut().zip(scores) {
        span.score = Some(*score);
    }
    sentence
}
