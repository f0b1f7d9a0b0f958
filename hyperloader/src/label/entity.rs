//! Spans of a labelled text.

use std::ops::Range;

use datasets::metrics::{ScoringMode, Span, spans};
use serde::{Deserialize, Serialize};

use super::characters::to_bytes;
use super::sentence::TaggedSentence;
use crate::{Error, Result};

/// One span of a labelled text.
///
/// Offsets count characters: Unicode code points, as Python and Hugging Face do. They are neither bytes nor UTF-16 units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct Entity {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of its first character in the text, counted from 0.
    pub start: usize,
    /// The number after that of its last character.
    pub end: usize,
    /// Exactly the characters `start..end` of the text.
    pub text: String,
    /// The number of its first word, counted from 0.
    pub word_start: usize,
    /// The number after that of its last word.
    pub word_end: usize,
    /// The mean of its words' confidences, as in Hugging Face's aggregation `simple`. Free decoding has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// A span as the token classification pipeline of Python's `transformers` returns it with an aggregation strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct EntityGroup {
    /// Its type.
    pub entity_group: String,
    /// The mean of its words' confidences.
    pub score: f32,
    /// Exactly the characters `start..end` of the text.
    pub word: String,
    /// The number of its first character in the text, counted from 0.
    pub start: usize,
    /// The number after that of its last character.
    pub end: usize,
}

impl TryFrom<Entity> for EntityGroup {
    type Error = Error;

    /// # Errors
    /// If the span has no score, because it was decoded freely.
    fn try_from(entity: Entity) -> Result<Self> {
        let Entity { kind, start, end, text, score, .. } = entity;
        let missing =
            || Error::Config("the shape of Hugging Face has scores, which free decoding does not have".into());
        Ok(Self { entity_group: kind, score: score.ok_or_else(missing)?, word: text, start, end })
    }
}

/// The spans that the tags of `sentence` mark.
pub(super) fn entities(sentence: &TaggedSentence) -> Result<Vec<Entity>> {
    let TaggedSentence { text, offsets, tags, .. } = sentence;
    let found = spans(tags, ScoringMode::Default)?;
    let characters = |span: &Span<'_>| {
        let (first, last) = (offsets.get(span.start), offsets.get(span.end.saturating_sub(1)));
        Some(first?.start..last?.end)
    };
    let unknown = || Error::Internal(format!("{} words have {} tags", offsets.len(), tags.len()));
    let places: Vec<_> = found.iter().map(|span| characters(span).ok_or_else(unknown)).collect::<Result<_>>()?;
    let bytes = to_bytes(text, places.iter().cloned());
    let entity = |((span, place), bytes): ((&Span<'_>, Range<usize>), Range<usize>)| Entity {
        kind: span.kind.to_owned(),
        start: place.start,
        end: place.end,
        text: text.get(bytes).unwrap_or_default().to_owned(),
        word_start: span.start,
        word_end: span.end,
        score: mean(sentence.confidences.get(span.start..span.end)),
    };
    Ok(found.iter().zip(places).zip(bytes).map(entity).collect())
}

/// The mean of `numbers`; `None` if there are none.
fn mean(numbers: Option<&[f32]>) -> Option<f32> {
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    Some(numbers.iter().sum::<f32>() / numbers.len() as f32)
}
