//! What comes out of labelling a sentence.

use std::ops::Range;

use datasets::labels::restore;
use serde::Serialize;

use super::windows::owners;

/// One labelled sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// One BIO tag for each word.
    pub tags: Vec<String>,
    /// The probability of each word's tag among the task's tags, given the tags before it; empty with free decoding.
    pub confidences: Vec<f32>,
    /// The best sequences, best first, the first of them with the tags above; empty with free decoding.
    pub n_best: Vec<Alternative>,
    /// Whether the sentence was too long for the model and was labelled in overlapping windows.
    pub windowed: bool,
    /// With free decoding, whether the model wrote another number of tags than there are words: missing ones are `O`,
    /// others dropped.
    pub malformed: bool,
}

/// One sequence of tags for a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// One BIO tag for each word.
    pub tags: Vec<String>,
    /// The sum of the logarithms of the tags' probabilities.
    pub score: f64,
}

/// What was written for one window: simplified tags.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    /// The best sequence and others, each with its score.
    pub(super) sequences: Vec<(Vec<String>, f64)>,
    /// Of the best sequence; empty with free decoding.
    pub(super) confidences: Vec<f32>,
    pub(super) malformed: bool,
}

impl Piece {
    fn tag(&self, word: usize) -> Option<&str> {
        self.sequences.first()?.0.get(word).map(String::as_str)
    }
}

/// The sentence of `words` words whose windows were labelled with `pieces`.
///
/// A sentence in one window keeps all its sequences. Of several windows each word takes its best tag from the one where it
/// is farthest from an edge; that is the only sequence, and its score counts each word once.
pub(super) fn join(windows: &[Range<usize>], pieces: &[Piece], words: usize) -> Labelled {
    let malformed = pieces.iter().any(|piece| piece.malformed);
    if let [piece] = pieces {
        let confidences = piece.confidences.clone();
        let all = |(tags, score): &(Vec<String>, f64)| Alternative { tags: restore(tags), score: *score };
        let n_best: Vec<Alternative> = piece.sequences.iter().map(all).collect();
        let tags = n_best.first().map(|best| best.tags.clone()).unwrap_or_default();
        return Labelled { tags, n_best: keep(n_best, &confidences, words), confidences, windowed: false, malformed };
    }
    let (mut tags, mut confidences) = (Vec::with_capacity(words), Vec::with_capacity(words));
    for (word, owner) in owners(windows, words).into_iter().enumerate() {
        let (Some(piece), Some(window)) = (pieces.get(owner), windows.get(owner)) else { continue };
        tags.extend(piece.tag(word - window.start));
        confidences.extend(piece.confidences.get(word - window.start));
    }
    let tags = restore(&tags);
    let score = confidences.iter().map(|p| f64::from(*p).ln()).sum();
    let n_best = keep(vec![Alternative { tags: tags.clone(), score }], &confidences, words);
    Labelled { tags, confidences, n_best, windowed: true, malformed }
}

/// Free decoding has no scores that could be compared.
fn keep(n_best: Vec<Alternative>, confidences: &[f32], words: usize) -> Vec<Alternative> {
    if confidences.len() == words { n_best } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(tags: &[&str], confidence: f32) -> Piece {
        let sequence = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Piece { sequences: vec![(sequence, -1.)], confidences: vec![confidence; tags.len()], malformed: false }
    }

    #[test]
    fn a_span_that_crosses_windows_goes_on() {
        let windows = [0..4, 2..6];
        let joined = join(&windows, &[piece(&["O", "O", "city", "O"], 0.5), piece(&["date", "I", "I", "O"], 0.25)], 6);
        assert_eq!(joined.tags, ["O", "O", "B-city", "I-city", "I-city", "O"]);
        assert_eq!(joined.confidences, [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
        assert!(joined.windowed && joined.n_best.len() == 1);
        assert!((joined.n_best[0].score - 9. * 0.5f64.ln()).abs() < 1e-6);
    }
}
