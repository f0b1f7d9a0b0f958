//! Kinds of errors: gold and predicted spans of a sentence, paired.

use std::cmp::Reverse;

use crate::eval::PredictedSpan;

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A gold span was predicted with its type and borders.
    Correct,
    /// A gold span was predicted with another type; its borders may differ too.
    WrongType,
    /// A gold span was predicted with its type and other borders.
    WrongBorder,
    /// A gold span has no predicted counterpart.
    Missed,
    /// A predicted span has no gold counterpart.
    Invented,
}

impl Outcome {
    /// The four kinds of errors.
    pub const ERRORS: [Self; 4] = [Self::Missed, Self::Invented, Self::WrongType, Self::WrongBorder];

    /// The kind in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::WrongType => "wrong type",
            Self::WrongBorder => "wrong border",
            Self::Missed => "missed",
            Self::Invented => "invented",
        }
    }
}

/// A gold span, a predicted span, or a pair of them, by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The index of the gold span.
    pub gold: Option<usize>,
    /// The index of the predicted span.
    pub predicted: Option<usize>,
    /// What the pair is.
    pub outcome: Outcome,
}

/// Pairs the gold and the predicted spans of one sentence. Each span is in exactly one [`Match`].
///
/// Only spans that share a word are paired. Pairs are made in this order: equal spans; equal borders; equal types; others. Within
/// each step the pair that shares the most words comes first, then the leftmost.
///
/// ```
/// # use hyperloader::analysis::{Outcome, compare};
/// # use hyperloader::eval::PredictedSpan;
/// let span = |kind: &str, start, end| PredictedSpan { kind: kind.into(), start, end, score: None };
/// let matches = compare(&[span("city", 0, 2)], &[span("city", 1, 2), span("date", 3, 4)]);
/// assert_eq!(matches.iter().map(|m| m.outcome).collect::<Vec<_>>(), [Outcome::WrongBorder, Outcome::Invented]);
/// ```
pub fn compare(gold: &[PredictedSpan], predicted: &[PredictedSpan]) -> Vec<Match> {
    let mut pairs = Vec::new();
    for (g, gold) in gold.iter().enumerate() {
        for (p, predicted) in predicted.iter().enumerate() {
            let shared = gold.overlap(predicted);
            let rank = match (gold.kind == predicted.kind, gold.has_borders_of(predicted)) {
                _ if shared == 0 => continue,
                (true, true) => 0,
                (false, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
            };
            pairs.push((rank, Reverse(shared), g, p));
        }
    }
    pairs.sort_unstable();
    let (mut free_gold, mut free_predicted) = (vec![true; gold.len()], vec![true; predicted.len()]);
    let mut matches = Vec::with_capacity(gold.len().max(predicted.len()));
    for (rank, _, g, p) in pairs {
        let (Some(gold_is_free), Some(predicted_is_free)) = (free_gold.get_mut(g), free_predicted.get_mut(p)) else {
            continue;
        };
        if *gold_is_free && *predicted_is_free {
            (*gold_is_free, *predicted_is_free) = (false, false);
            let outcome = match rank {
                0 => Outcome::Correct,
                2 => Outcome::WrongBorder,
                _ => Outcome::WrongType,
            };
            matches.push(Match { gold: Some(g), predicted: Some(p), outcome });
        }
    }
    let left = |free: Vec<bool>| free.into_iter().enumerate().filter_map(|(index, free)| free.then_some(index));
    matches.extend(left(free_gold).map(|g| Match { gold: Some(g), predicted: None, outcome: Outcome::Missed }));
    matches.extend(left(free_predicted).map(|p| Match { gold: None, predicted: Some(p), outcome: Outcome::Invented }));
    matches.sort_by_key(|m| start(m, gold, predicted));
    matches
}

fn start(pair: &Match, gold: &[PredictedSpan], predicted: &[PredictedSpan]) -> usize {
    let starts =
        |spans: &[PredictedSpan], index: Option<usize>| index.and_then(|i| spans.get(i)).map(|span| span.start);
    starts(gold, pair.gold).or(starts(predicted, pair.predicted)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::span;
    use super::*;

    fn outcomes(gold: &[PredictedSpan], predicted: &[PredictedSpan]) -> Vec<Outcome> {
        compare(gold, predicted).into_iter().map(|m| m.outcome).collect()
    }

    #[test]
    fn each_kind_of_error_has_its_case() {
        let gold = [span("city", 2, 4)];
        for (predicted, expected) in [
            (vec![span("city", 2, 4)], vec![Outcome::Correct]),
            (vec![span("date", 2, 4)], vec![Outcome::WrongType]),
            (vec![span("city", 3, 4)], vec![Outcome::WrongBorder]),
            (vec![span("date", 3, 6)], vec![Outcome::WrongType]),
            (vec![], vec![Outcome::Missed]),
            (vec![span("city", 0, 2)], vec![Outcome::Invented, Outcome::Missed]),
        ] {
            assert_eq!(outcomes(&gold, &predicted), expected, "{predicted:?}");
        }
        assert_eq!(outcomes(&[], &[span("city", 0, 1)]), [Outcome::Invented]);
    }

    #[test]
    fn a_span_that_was_cut_in_two_is_one_wrong_border_and_one_invention() {
        let matches = compare(&[span("city", 0, 4)], &[span("city", 0, 1), span("city", 1, 4)]);
        let larger = Match { gold: Some(0), predicted: Some(1), outcome: Outcome::WrongBorder };
        assert_eq!(matches[0], larger, "the part with more of its words is its counterpart");
        assert_eq!(matches[1].outcome, Outcome::Invented);
    }

    #[test]
    fn the_better_pair_comes_first_whatever_the_order() {
        // The date overlaps both; the equal type wins over the longer overlap of another type.
        let gold = [span("city", 0, 3), span("date", 3, 5)];
        let predicted = [span("date", 1, 4)];
        assert_eq!(outcomes(&gold, &predicted), [Outcome::Missed, Outcome::WrongBorder]);
    }

    proptest! {
        #[test]
        fn every_span_is_in_exactly_one_match(
            gold in prop::collection::vec((0..3_usize, 0..8_usize, 1..4_usize), 0..5),
            predicted in prop::collection::vec((0..3_usize, 0..8_usize, 1..4_usize), 0..5),
        ) {
            let spans = |of: &[(usize, usize, usize)]| -> Vec<PredictedSpan> {
                of.iter().map(|(kind, start, words)| span(&kind.to_string(), *start, start + words)).collect()
            };
            let (gold, predicted) = (spans(&gold), spans(&predicted));
            let matches = compare(&gold, &predicted);
            let mut golds: Vec<usize> = matches.iter().filter_map(|m| m.gold).collect();
            let mut all: Vec<usize> = matches.iter().filter_map(|m| m.predicted).collect();
            golds.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(golds, (0..gold.len()).collect::<Vec<_>>());
            prop_assert_eq!(all, (0..predicted.len()).collect::<Vec<_>>());
        }
    }
}
