//! A labelled sentence.

use std::ops::Range;

use datasets::labels::restore;
use serde::Serialize;

use super::spans::{TaggedSpan, tagged_spans};
use super::windows::owners;
use crate::Result;

/// A labelled sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaggedSentence {
    /// The words.
    pub tokens: Vec<String>,
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The probability of each word's tag among the task's tags, given the tags before it. Empty with free decoding.
    pub confidences: Vec<f32>,
    /// The best sequences, best first; the first one has the tags above. Empty with free decoding.
    pub n_best: Vec<Alternative>,
    /// Whether the sentence was too long for the model and was labelled in overlapping windows.
    pub windowed: bool,
    /// With free decoding: whether the number of tags that the model wrote differs from the number of words. Missing tags
    /// became `O`, extra tags were dropped.
    pub malformed: bool,
}

impl TaggedSentence {
    /// The spans that the tags mark, from left to right.
    ///
    /// # Errors
    /// If a tag is not a BIO tag; a labeller writes no such tag.
    pub fn spans(&self) -> Result<Vec<TaggedSpan>> {
        tagged_spans(&self.tokens, &self.tags)
    }
}

/// One sequence of tags for a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The sum of the logarithms of the tags' probabilities.
    pub score: f64,
}

/// The simplified tags that the model wrote for one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    /// The sequences with their scores, best first.
    pub(super) sequences: Vec<(Vec<String>, f64)>,
    /// Those of the best sequence; empty with free decoding.
    pub(super) confidences: Vec<f32>,
    pub(super) malformed: bool,
}

impl Piece {
    fn tag(&self, word: usize) -> Option<&str> {
        self.sequences.first()?.0.get(word).map(String::as_str)
    }
}

/// The sentence of `tokens` whose windows were labelled with `pieces`.
///
/// A sentence in one window keeps all its sequences. With several windows, each word takes its best tag from the window in
/// which it is farthest from an edge. That is the only sequence, and its score counts each word once.
pub(super) fn join(tokens: Vec<String>, windows: &[Range<usize>], pieces: &[Piece]) -> TaggedSentence {
    let words = tokens.len();
    let malformed = pieces.iter().any(|piece| piece.malformed);
    if let [piece] = pieces {
        let confidences = piece.confidences.clone();
        let all = |(tags, score): &(Vec<String>, f64)| Alternative { tags: restore(tags), score: *score };
        let n_best: Vec<Alternative> = piece.sequences.iter().map(all).collect();
        let tags = n_best.first().map(|best| best.tags.clone()).unwrap_or_default();
        let n_best = keep(n_best, &confidences, words);
        return TaggedSentence { tokens, tags, n_best, confidences, windowed: false, malformed };
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
    TaggedSentence { tokens, tags, confidences, n_best, windowed: true, malformed }
}

/// Drops the sequences of free decoding, which has no scores to compare.
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
        let pieces = [piece(&["O", "O", "city", "O"], 0.5), piece(&["date", "I", "I", "O"], 0.25)];
        let joined = join(vec!["word".to_owned(); 6], &windows, &pieces);
        assert_eq!(joined.tags, ["O", "O", "B-city", "I-city", "I-city", "O"]);
        assert_eq!(joined.confidences, [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
        assert!(joined.windowed && joined.n_best.len() == 1);
        assert!((joined.n_best[0].score - 9. * 0.5f64.ln()).abs() < 1e-6);
    }
}
