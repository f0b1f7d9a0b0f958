//! A sentence with its gold and predicted spans.

use datasets::metrics::{ScoringMode, spans};

use crate::eval::PredictedSpan;
use crate::{Error, Result};

impl PredictedSpan {
    /// The number of words that both spans hold.
    pub(super) fn overlap(&self, other: &Self) -> usize {
        self.end.min(other.end).saturating_sub(self.start.max(other.start))
    }

    /// Whether both spans hold the same words.
    pub(super) fn has_borders_of(&self, other: &Self) -> bool {
        (self.start, self.end) == (other.start, other.end)
    }
}

/// A sentence with its gold and predicted tags, and the spans that they mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// The words.
    pub words: Vec<String>,
    /// The gold BIO tags, one a word.
    pub gold_tags: Vec<String>,
    /// The predicted BIO tags, one a word.
    pub predicted_tags: Vec<String>,
    /// The gold spans, from left to right.
    pub gold: Vec<PredictedSpan>,
    /// The predicted spans, from left to right.
    pub predicted: Vec<PredictedSpan>,
}

impl Sentence {
    /// The sentence whose tags mark its spans, under the rules of seqeval's default mode. A predicted span gets the score of the span
    /// in `scored` that has its type and borders.
    ///
    /// # Errors
    /// [`Error::Config`] if there is not one gold and one predicted tag a word; [`Error::Data`] if a tag is not a BIO tag.
    pub fn new(
        words: Vec<String>,
        gold_tags: Vec<String>,
        predicted_tags: Vec<String>,
        scored: Vec<PredictedSpan>,
    ) -> Result<Self> {
        let counts = [words.len(), gold_tags.len(), predicted_tags.len()];
        if counts.iter().any(|count| *count != words.len()) {
            let [words, gold, predicted] = counts;
            return Err(Error::Config(format!(
                "{words} words, {gold} gold and {predicted} predicted tags; a sentence has one of each a word"
            )));
        }
        let gold = spans_of(&gold_tags)?;
        let mut predicted = spans_of(&predicted_tags)?;
        for span in &mut predicted {
            let own = scored.iter().find(|other| other.kind == span.kind && other.has_borders_of(span));
            span.score = own.and_then(|own| own.score);
        }
        Ok(Self { words, gold_tags, predicted_tags, gold, predicted })
    }

    /// The predicted spans with a note whether each is right: its type and borders are those of a gold span.
    pub fn judged(&self) -> impl Iterator<Item = (&PredictedSpan, bool)> {
        let is_gold = |span: &PredictedSpan| self.gold.iter().any(|g| g.kind == span.kind && g.has_borders_of(span));
        self.predicted.iter().map(move |span| (span, is_gold(span)))
    }

    /// Whether the predicted spans differ from the gold spans.
    pub fn is_wrong(&self) -> bool {
        self.gold.len() != self.predicted.len() || self.judged().any(|(_, right)| !right)
    }
}

fn spans_of(tags: &[String]) -> Result<Vec<PredictedSpan>> {
    Ok(spans(tags, ScoringMode::Default)?.into_iter().map(|span| PredictedSpan::new(span, None)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::testing::{sentence, span};
    use super::*;

    #[test]
    fn a_span_takes_the_score_of_its_type_and_borders() {
        let text = |t: &str| t.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let scored = vec![
            PredictedSpan { score: Some(0.9), ..span("date", 0, 2) },
            PredictedSpan { score: Some(0.4), ..span("city", 0, 2) },
        ];
        let read = Sentence::new(text("new york now"), text("O O O"), text("B-city I-city B-date"), scored).unwrap();
        assert_eq!(read.predicted.iter().map(|s| s.score).collect::<Vec<_>>(), [Some(0.4), None]);
    }

    #[test]
    fn a_sentence_is_right_only_with_all_its_spans_and_no_more() {
        assert!(!sentence("B-a I-a O", "B-a I-a O").is_wrong());
        for predicted in ["B-a O O", "B-b I-b O", "B-a I-a B-a", "O O O"] {
            assert!(sentence("B-a I-a O", predicted).is_wrong(), "{predicted}");
        }
    }

    #[test]
    fn a_tag_that_is_missing_is_counted_out() {
        let one = vec!["x".to_owned()];
        let message = Sentence::new(one.clone(), Vec::new(), one, Vec::new()).unwrap_err().to_string();
        assert!(message.contains("1 words, 0 gold and 1 predicted tags"), "{message}");
    }
}
