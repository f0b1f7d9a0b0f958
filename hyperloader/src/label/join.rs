//! The tags of a sentence out of those of its windows, and of a text out of those of its sentences.

use std::ops::Range;

use datasets::labels::restore;

use super::sentence::Alternative;
use super::windows::owners;

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

/// The tags of one sentence, or of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SentenceTags {
    pub(super) tags: Vec<String>,
    pub(super) confidences: Vec<f32>,
    pub(super) n_best: Vec<Alternative>,
    /// The numbers of the words that were cut.
    pub(super) truncated: Vec<usize>,
    pub(super) windowed: bool,
    pub(super) malformed: bool,
}

impl SentenceTags {
    /// The tags of `words` words whose windows were labelled with `pieces`.
    ///
    /// A sentence in one window keeps all its sequences. With several windows, each word takes its best tag from the window in
    /// which it is farthest from an edge. That is the only sequence, and its score counts each word once.
    pub(super) fn join(words: usize, windows: &[Range<usize>], pieces: &[Piece]) -> Self {
        let malformed = pieces.iter().any(|piece| piece.malformed);
        let truncated = Vec::new();
        if let [piece] = pieces {
            let confidences = piece.confidences.clone();
            let all = |(tags, score): &(Vec<String>, f64)| Alternative { tags: restore(tags), score: *score };
            let n_best: Vec<Alternative> = piece.sequences.iter().map(all).collect();
            let tags = n_best.first().map(|best| best.tags.clone()).unwrap_or_default();
            let n_best = keep(n_best, &confidences, words);
            return Self { tags, confidences, n_best, truncated, windowed: false, malformed };
        }
        let (mut tags, mut confidences) = (Vec::with_capacity(words), Vec::with_capacity(words));
        for (word, owner) in owners(windows, words).into_iter().enumerate() {
            let (Some(piece), Some(window)) = (pieces.get(owner), windows.get(owner)) else { continue };
            tags.extend(piece.tag(word - window.start));
            confidences.extend(piece.confidences.get(word - window.start));
        }
        let tags = restore(&tags);
        let n_best = keep(vec![best(&tags, &confidences)], &confidences, words);
        Self { tags, confidences, n_best, truncated, windowed: true, malformed }
    }

    /// The tags of a text whose sentences have `parts`; each comes with the number of its first word.
    ///
    /// One sentence keeps all its sequences. Of several, the best ones become the only sequence.
    pub(super) fn chain(mut parts: Vec<(usize, Self)>) -> Self {
        if parts.len() <= 1 {
            return parts.pop().map(|(_, only)| only).unwrap_or_default();
        }
        let scores: Option<f64> = parts.iter().map(|(_, part)| Some(part.n_best.first()?.score)).sum();
        let mut whole = Self::default();
        for (start, part) in parts {
            whole.tags.extend(part.tags);
            whole.confidences.extend(part.confidences);
            whole.truncated.extend(part.truncated.into_iter().map(|word| start + word));
            whole.windowed |= part.windowed;
            whole.malformed |= part.malformed;
        }
        whole.n_best.extend(scores.map(|score| Alternative { tags: whole.tags.clone(), score }));
        whole
    }
}

/// The sequence `tags`, which counts each word once.
fn best(tags: &[String], confidences: &[f32]) -> Alternative {
    Alternative { tags: tags.to_vec(), score: confidences.iter().map(|p| f64::from(*p).ln()).sum() }
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
        let joined = SentenceTags::join(6, &windows, &pieces);
        assert_eq!(joined.tags, ["O", "O", "B-city", "I-city", "I-city", "O"]);
        assert_eq!(joined.confidences, [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
        assert!(joined.windowed && joined.n_best.len() == 1);
        assert!((joined.n_best[0].score - 9. * 0.5f64.ln()).abs() < 1e-6);
    }
}
