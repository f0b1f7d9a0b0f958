//! Whether the model's confidence can be believed.

use super::Sentence;

/// The predicted spans whose confidences are in one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidenceBin {
    /// The interval is (from, to], and [0, to] in the first bin.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
    /// Predicted spans.
    pub spans: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub precision: f64,
}

/// A reliability diagram in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// All bins, those without spans included.
    pub bins: Vec<ConfidenceBin>,
    /// Predicted spans with a confidence.
    pub spans: usize,
    /// Predicted spans without one. They are left out.
    pub without: usize,
    /// The expected calibration error, `Σ n_b / n · |precision_b − confidence_b|` over the bins b, in [0, 1] (Naeini et al. 2015;
    /// Guo et al. 2017).
    pub expected_error: f64,
    /// The largest `|precision_b − confidence_b|` of a bin that has spans.
    pub largest_error: f64,
}

/// The calibration of predicted spans, in `bins` intervals of equal width. `None` if no span has a confidence, or `bins` is 0.
///
/// A span is right if a gold span has its type and borders.
pub fn calibration(sentences: &[Sentence], bins: usize) -> Option<Calibration> {
    // Spans, sum of confidences and right spans of each bin.
    let mut sums = vec![(0_usize, 0_f64, 0_usize); bins];
    let (mut spans, mut without) = (0, 0);
    for (span, right) in sentences.iter().flat_map(Sentence::judged) {
        let Some(score) = span.score.filter(|score| score.is_finite()) else {
            without += 1;
            continue;
        };
        let score = score.clamp(0., 1.);
        let bin = ((score * bins as f64).ceil() as usize).saturating_sub(1);
        let (count, confidence, correct) = sums.get_mut(bin)?;
        *count += 1;
        *confidence += score;
        *correct += usize::from(right);
        spans += 1;
    }
    if spans == 0 {
        return None;
    }
    let bin = |(index, (count, confidence, right)): (usize, (usize, f64, usize))| ConfidenceBin {
        from: index as f64 / bins as f64,
        to: (index + 1) as f64 / bins as f64,
        spans: count,
        confidence: confidence / count.max(1) as f64,
        precision: right as f64 / count.max(1) as f64,
    };
    let bins: Vec<ConfidenceBin> = sums.into_iter().enumerate().map(bin).collect();
    let gap = |bin: &ConfidenceBin| (bin.precision - bin.confidence).abs();
    Some(Calibration {
        expected_error: bins.iter().map(|bin| bin.spans as f64 / spans as f64 * gap(bin)).sum(),
        largest_error: bins.iter().map(gap).fold(0., f64::max),
        bins,
        spans,
        without,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::testing::{scored, sentence};
    use super::*;

    #[test]
    fn the_expected_error_is_the_weighted_gap() {
        // Three spans at 0.9, of which two are right; one at 0.3 that is wrong.
        let sentences = [scored("B-a O B-a", "B-a O B-a", &[0.9, 0.9]), scored("O B-a O", "B-a O B-a", &[0.9, 0.3])];
        let found = calibration(&sentences, 10).unwrap();
        assert_eq!((found.spans, found.without), (4, 0));
        let (low, high) = (&found.bins[2], &found.bins[8]);
        assert_eq!((low.spans, high.spans), (1, 3), "0.3 belongs to (0.2, 0.3], 0.9 to (0.8, 0.9]");
        assert!((high.precision - 2. / 3.).abs() < 1e-12 && (high.confidence - 0.9).abs() < 1e-12);
        let expected = 0.75 * (0.9 - 2. / 3.) + 0.25 * 0.3;
        assert!((found.expected_error - expected).abs() < 1e-12);
        assert!((found.largest_error - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_model_has_no_error_and_the_ends_have_their_bins() {
        let found = calibration(&[scored("B-a O", "B-a B-a", &[1.0, 0.0])], 5).unwrap();
        assert_eq!(found.expected_error, 0.);
        assert_eq!((found.bins[0].spans, found.bins[4].spans), (1, 1));
    }

    #[test]
    fn spans_without_confidence_are_left_out() {
        assert_eq!(calibration(&[sentence("B-a", "B-a")], 10), None);
        let mixed = [sentence("B-a", "B-a"), scored("B-a", "B-a", &[0.5])];
        assert_eq!(calibration(&mixed, 10).unwrap().without, 1);
    }
}
