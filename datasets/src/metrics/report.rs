//! The scores, as a document with stable keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::{SpanCounts, TypeCounts};
use super::spans::ScoringMode;

/// Precision P = right / predicted, recall R = right / gold, F1 = 2PR / (P + R). Each is in [0, 1], and 0 if its
/// denominator is 0. They are computed over all spans (micro), as the mean of the types (macro), and as the mean of
/// the types weighted by their gold spans (weighted).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanReport {
    /// What counted as a span.
    pub mode: ScoringMode,
    /// P over all spans.
    pub micro_precision: f64,
    /// R over all spans.
    pub micro_recall: f64,
    /// F1 over all spans, the number that the paper reports.
    pub micro_f1: f64,
    /// Mean P of the types.
    pub macro_precision: f64,
    /// Mean R of the types.
    pub macro_recall: f64,
    /// Mean F1 of the types.
    pub macro_f1: f64,
    /// Mean P of the types, weighted by their gold spans.
    pub weighted_precision: f64,
    /// Mean R of the types, weighted by their gold spans.
    pub weighted_recall: f64,
    /// Mean F1 of the types, weighted by their gold spans.
    pub weighted_f1: f64,
    /// Tokens with the right tag / tokens.
    pub accuracy: f64,
    /// Sentences scored.
    pub sentences: usize,
    /// Tokens scored.
    pub tokens: usize,
    /// Gold spans.
    pub support: usize,
    /// Predicted spans.
    pub predicted: usize,
    /// Predicted spans that are right.
    pub right: usize,
    /// The scores of every type in the gold or predicted spans, by name.
    pub per_type: BTreeMap<String, TypeScore>,
}

/// The scores of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TypeScore {
    /// right / predicted.
    pub precision: f64,
    /// right / support.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Gold spans.
    pub support: usize,
    /// Predicted spans.
    pub predicted: usize,
    /// Predicted spans that are right.
    pub right: usize,
}

impl TypeScore {
    fn of(counts: TypeCounts) -> Self {
        let precision = ratio(counts.right as f64, counts.predicted as f64);
        let recall = ratio(counts.right as f64, counts.gold as f64);
        Self {
            precision,
            recall,
            f1: ratio(2.0 * precision * recall, precision + recall),
            support: counts.gold,
            predicted: counts.predicted,
            right: counts.right,
        }
    }
}

impl SpanCounts {
    /// The scores of the sentences added so far.
    #[must_use]
    pub fn report(&self) -> SpanReport {
        SpanReport::of(self)
    }
}

impl SpanReport {
    fn of(counts: &SpanCounts) -> Self {
        let mut all = TypeCounts::default();
        for of_type in counts.types.values() {
            all.add(*of_type);
        }
        let micro = TypeScore::of(all);
        let per_type: BTreeMap<String, TypeScore> =
            counts.types.iter().map(|(kind, counts)| (kind.clone(), TypeScore::of(*counts))).collect();
        let equal = |score: fn(&TypeScore) -> f64| mean(&per_type, score, |_| 1.0);
        let weighted = |score: fn(&TypeScore) -> f64| mean(&per_type, score, |of| of.support as f64);
        Self {
            mode: counts.mode,
            micro_precision: micro.precision,
            micro_recall: micro.recall,
            micro_f1: micro.f1,
            macro_precision: equal(|of| of.precision),
            macro_recall: equal(|of| of.recall),
            macro_f1: equal(|of| of.f1),
            weighted_precision: weighted(|of| of.precision),
            weighted_recall: weighted(|of| of.recall),
            weighted_f1: weighted(|of| of.f1),
            accuracy: ratio(counts.right_tokens as f64, counts.tokens as f64),
            sentences: counts.sentences,
            tokens: counts.tokens,
            support: micro.support,
            predicted: micro.predicted,
            right: micro.right,
            per_type,
        }
    }
}

fn mean(
    per_type: &BTreeMap<String, TypeScore>,
    score: impl Fn(&TypeScore) -> f64,
    weight: impl Fn(&TypeScore) -> f64,
) -> f64 {
    let weights: f64 = per_type.values().map(&weight).sum();
    ratio(per_type.values().map(|of| score(of) * weight(of)).sum(), weights)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::metrics::score;

    #[test]
    fn averages_differ_as_they_should() {
        // a: 1 of 2 gold spans found, nothing else predicted. b: 1 predicted, 0 of 1 gold found.
        let gold = [["B-a", "O", "B-a", "B-b", "O"]];
        let predicted = [["B-a", "O", "O", "O", "B-b"]];
        let report = score(&gold, &predicted, ScoringMode::Default).unwrap();
        let (p, r) = (1.0 / 2.0, 1.0 / 3.0);
        assert!((report.micro_precision - p).abs() < 1e-12);
        assert!((report.micro_recall - r).abs() < 1e-12);
        assert!((report.micro_f1 - 2.0 * p * r / (p + r)).abs() < 1e-12);
        assert!((report.macro_f1 - (2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((report.weighted_f1 - (2.0 / 3.0) * 2.0 / 3.0).abs() < 1e-12);
        assert!((report.accuracy - 2.0 / 5.0).abs() < 1e-12);
        assert_eq!((report.support, report.predicted, report.right), (3, 2, 1));
    }

    #[test]
    fn nothing_to_find_scores_zero_and_never_nan() {
        let report = score(&[["O"]], &[["O"]], ScoringMode::Strict).unwrap();
        assert_eq!((report.micro_f1, report.macro_f1, report.weighted_f1), (0.0, 0.0, 0.0));
        assert_eq!(report.accuracy, 1.0);
        assert!(report.per_type.is_empty());
    }

    #[test]
    fn the_keys_of_the_document_are_stable() {
        let report = score(&[["B-a"]], &[["B-a"]], ScoringMode::Default).unwrap();
        let document: serde_json::Value = serde_json::to_value(&report).unwrap();
        let keys: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "mode",
            "micro_precision",
            "micro_recall",
            "micro_f1",
            "macro_precision",
            "macro_recall",
            "macro_f1",
            "weighted_precision",
            "weighted_recall",
            "weighted_f1",
            "accuracy",
            "sentences",
            "tokens",
            "support",
            "predicted",
            "right",
            "per_type",
        ];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(document["per_type"]["a"]["f1"], 1.0);
    }
}
