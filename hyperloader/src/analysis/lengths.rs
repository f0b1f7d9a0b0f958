//! Errors by the length of the sentence.

use datasets::metrics::{ScoringMode, SpanCounts};

use super::Sentence;
use crate::Result;

/// The most words of each bin; sentences with more are in the last one.
const MOST_WORDS: [usize; 6] = [5, 10, 15, 20, 30, usize::MAX];

/// The sentences of similar length.
#[derive(Debug, Clone, PartialEq)]
pub struct LengthBin {
    /// The fewest words.
    pub from: usize,
    /// The most words; `None` in the last bin.
    pub to: Option<usize>,
    /// Sentences.
    pub sentences: usize,
    /// Sentences in which at least one span is wrong, missed or invented.
    pub wrong: usize,
    /// Gold spans.
    pub support: usize,
    /// Micro-F1 of their spans, in [0, 1].
    pub f1: f64,
}

impl LengthBin {
    /// The share of sentences with an error, in [0, 1].
    pub fn error_rate(&self) -> f64 {
        self.wrong as f64 / self.sentences.max(1) as f64
    }

    /// The range of words.
    pub fn name(&self) -> String {
        match self.to {
            Some(to) => format!("{}–{to}", self.from),
            None => format!("{}+", self.from),
        }
    }
}

/// The bins that hold a sentence, from short to long: up to 5, 10, 15, 20, 30 and more words.
///
/// # Errors
/// If a tag is not a BIO tag.
pub fn by_length(sentences: &[Sentence]) -> Result<Vec<LengthBin>> {
    let mut bins = Vec::new();
    let mut from = 1;
    for most in MOST_WORDS {
        let mut counts = SpanCounts::new(ScoringMode::Default);
        let (mut wrong, mut total) = (0, 0);
        // A sentence without words is in the first bin.
        let is_in = |words: usize| words <= most && (words >= from || from == 1);
        for sentence in sentences.iter().filter(|sentence| is_in(sentence.words.len())) {
            counts.add(&sentence.gold_tags, &sentence.predicted_tags)?;
            wrong += usize::from(sentence.is_wrong());
            total += 1;
        }
        let scores = counts.report();
        let to = (most != usize::MAX).then_some(most);
        bins.push(LengthBin { from, to, sentences: total, wrong, support: scores.support, f1: scores.micro_f1 });
        from = most.saturating_add(1);
    }
    bins.retain(|bin| bin.sentences > 0);
    Ok(bins)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::testing::sentence;
    use super::*;

    #[test]
    fn sentences_are_counted_by_their_words() {
        let long = ["O"; 31].join(" ");
        let sentences = [
            sentence("B-a O O O O", "B-a O O O O"),
            sentence("B-a O O", "O O O"),
            sentence("O O O O O B-a", "O O O O O B-a"),
            sentence(&long, &long),
        ];
        let bins = by_length(&sentences).unwrap();
        assert_eq!(bins.iter().map(LengthBin::name).collect::<Vec<_>>(), ["1–5", "6–10", "31+"]);
        assert_eq!((bins[0].sentences, bins[0].wrong, bins[0].support), (2, 1, 2));
        assert_eq!(bins[0].error_rate(), 0.5);
        assert!((bins[0].f1 - 2. / 3.).abs() < 1e-12, "P = 1, R = 1/2");
        assert_eq!((bins[1].sentences, bins[1].wrong), (1, 0));
    }
}
