//! What programs get for one text.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::entity::Entity;
use super::sentence::{Alternative, TaggedSentence};
use crate::{Error, Result};

/// A labelled text as one JSON object: a line of `predict --format jsonl`.
///
/// ```text
/// {"text":"fly to New York","tokens":["fly","to","New","York"],"offsets":[[0,3],[4,6],[7,10],[11,15]],
///  "tags":["O","O","B-city","I-city"],"spans":[{"type":"city","start":7,"end":15,"text":"New York",
///  "word_start":2,"word_end":4,"score":0.875}],"confidences":[1.0,1.0,1.0,0.75]}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Answer {
    /// What the caller named the text, unchanged; left out if it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[cfg_attr(feature = "serve", schema(value_type = Option<serde_json::Value>))]
    pub id: Option<Box<RawValue>>,
    /// The text exactly as it was given; for a list of words, these joined by one blank.
    pub text: String,
    /// The words.
    pub tokens: Vec<String>,
    /// For each word, the number of its first character and the number after that of its last.
    pub offsets: Vec<[usize; 2]>,
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The spans that the tags mark, from left to right.
    pub spans: Vec<Entity>,
    /// The confidence of each word's tag; left out with free decoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidences: Option<Vec<f32>>,
    /// The best sequences of tags, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_best: Option<Vec<Alternative>>,
    /// The numbers of the words with more tokens than a window holds; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub truncated_words: Vec<usize>,
}

impl Answer {
    /// The answer for `labelled`, with the best sequences if `n_best` is set.
    ///
    /// # Errors
    /// If a tag is not a BIO tag; a labeller writes no such tag.
    pub fn new(labelled: TaggedSentence, n_best: bool) -> Result<Self> {
        let spans = labelled.spans()?;
        let TaggedSentence { text, tokens, offsets, tags, confidences, n_best: best, truncated_words, .. } = labelled;
        Ok(Self {
            id: None,
            text,
            offsets: offsets.into_iter().map(|range| [range.start, range.end]).collect(),
            tags,
            spans,
            // Free decoding has none; a text without words has as many as it has words.
            confidences: (confidences.len() == tokens.len()).then_some(confidences),
            tokens,
            n_best: n_best.then_some(best),
            truncated_words,
        })
    }

    /// Sets what the caller named the text.
    #[must_use]
    pub fn with_id(self, id: Option<Box<RawValue>>) -> Self {
        Self { id, ..self }
    }

    /// The answer as one line of JSON, without its end.
    ///
    /// # Errors
    /// Never in practice: every answer can be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("an answer is no JSON: {error}")))
    }
}

/// A value that is there, also if it is `null`.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
