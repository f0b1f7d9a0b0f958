//! A labelled text.

use std::ops::Range;

use datasets::labels::OUTSIDE;
use serde::{Deserialize, Serialize};

use super::characters::of_bytes;
use super::entity::{Entity, entities};
use super::item::SplitText;
use super::join::SentenceTags;
use crate::Result;

/// A labelled text: its words with one tag each.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TaggedSentence {
    /// The text exactly as it was given; for a list of words, these joined by one blank.
    pub text: String,
    /// The words, exactly as they are in the text.
    pub tokens: Vec<String>,
    /// For each word, its characters in the text. They are counted as in [`Entity`].
    pub offsets: Vec<Range<usize>>,
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The probability of each word's tag among the task's tags, given the tags before it. Empty with free decoding.
    pub confidences: Vec<f32>,
    /// The best sequences, best first; the first one has the tags above. Empty with free decoding.
    pub n_best: Vec<Alternative>,
    /// The numbers of the words with more tokens than a window holds. The model read their beginnings alone.
    pub truncated_words: Vec<usize>,
    /// Whether the text, or a sentence of it, was too long for the model and was labelled in overlapping windows.
    pub windowed: bool,
    /// With free decoding: whether the number of tags that the model wrote differs from the number of words. Missing tags
    /// became `O`, extra tags were dropped.
    pub malformed: bool,
}

/// One sequence of tags for a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct Alternative {
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The sum of the logarithms of the tags' probabilities.
    pub score: f64,
}

impl TaggedSentence {
    /// The text whose sentences have `tags`.
    pub(super) fn new(split: SplitText, tags: Vec<SentenceTags>) -> Self {
        let SplitText { text, words, sentences } = split;
        let tokens = words.iter().map(|word| text.get(word.clone()).unwrap_or_default().to_owned()).collect();
        let offsets = of_bytes(&text, &words);
        let tags = SentenceTags::chain(sentences.iter().map(|words| words.start).zip(tags).collect());
        let SentenceTags { tags, confidences, n_best, truncated, windowed, malformed } = tags;
        Self { text, tokens, offsets, tags, confidences, n_best, truncated_words: truncated, windowed, malformed }
    }

    /// The spans that the tags mark, from left to right.
    ///
    /// # Errors
    /// If a tag is not a BIO tag; a labeller writes no such tag.
    pub fn spans(&self) -> Result<Vec<Entity>> {
        entities(self)
    }

    /// This text without the spans whose score is below `threshold`: their words have the tag `O`. Spans without a score stay, and
    /// so do `confidences` and `n_best`, which are what the model found.
    ///
    /// # Errors
    /// As [`spans`](Self::spans).
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self> {
        let dropped = self.spans()?.into_iter().filter(|span| span.score.is_some_and(|score| score < threshold));
        for Entity { word_start, word_end, .. } in dropped {
            for tag in self.tags.get_mut(word_start..word_end).unwrap_or_default() {
                OUTSIDE.clone_into(tag);
            }
        }
        Ok(self)
    }
}
