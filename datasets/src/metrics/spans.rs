//! From tags to spans.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::labels::Tag;

/// What counts as a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoringMode {
    /// As `conlleval`: a span begins at every `B-X`, and at an `I-X` after `O` or after another type.
    #[default]
    Default,
    /// IOB2: a span begins only at `B-X`; an `I-X` that continues no span is outside.
    Strict,
}

/// A range of tokens with a type, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Span<'a> {
    /// Type.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// First token, counted from 0.
    pub start: usize,
    /// One after the last token.
    pub end: usize,
}

/// The spans of one sentence, from left to right.
///
/// # Errors
/// [`Error::MalformedTag`](crate::Error::MalformedTag) for a tag that is not BIO.
///
/// ```
/// use datasets::metrics::{ScoringMode, Span, spans};
/// let tags = ["I-city", "I-city", "O", "B-date"];
/// assert_eq!(spans(&tags, ScoringMode::Default)?[0], Span { kind: "city", start: 0, end: 2 });
/// assert_eq!(spans(&tags, ScoringMode::Strict)?, [Span { kind: "date", start: 3, end: 4 }]);
/// # Ok::<(), datasets::Error>(())
/// ```
pub fn spans<S: AsRef<str>>(tags: &[S], mode: ScoringMode) -> Result<Vec<Span<'_>>> {
    let mut found = Vec::new();
    let mut open: Option<Span<'_>> = None;
    for (at, tag) in tags.iter().enumerate() {
        let tag = Tag::parse(tag.as_ref())?;
        match (tag, &mut open) {
            (Tag::Inside(kind), Some(span)) if span.kind == kind => span.end = at + 1,
            _ => {
                found.extend(open.take());
                open = begins(tag, mode).map(|kind| Span { kind, start: at, end: at + 1 });
            }
        }
    }
    found.extend(open);
    Ok(found)
}

/// The type of the span that begins at a tag which continues no span.
fn begins(tag: Tag<'_>, mode: ScoringMode) -> Option<&str> {
    match (tag, mode) {
        (Tag::Outside, _) | (Tag::Inside(_), ScoringMode::Strict) => None,
        (Tag::Begin(kind), _) | (Tag::Inside(kind), ScoringMode::Default) => Some(kind),
    }
}

/// The spans of several sentences. Positions count as if the sentences were one, with one `O` between two of them.
///
/// # Errors
/// As [`spans`].
pub fn joined_spans<S: AsRef<str>>(sentences: &[Vec<S>], mode: ScoringMode) -> Result<Vec<Span<'_>>> {
    let mut found = Vec::new();
    let mut offset = 0;
    for tags in sentences {
        found.extend(spans(tags, mode)?.into_iter().map(|span| Span {
            start: span.start + offset,
            end: span.end + offset,
            ..span
        }));
        offset += tags.len() + 1;
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn triples(tags: &str, mode: ScoringMode) -> Vec<(String, usize, usize)> {
        let tags: Vec<&str> = tags.split_whitespace().collect();
        let found = spans(&tags, mode).unwrap();
        found.iter().map(|span| (span.kind.to_owned(), span.start, span.end)).collect()
    }

    #[test]
    fn neighbors_of_one_type_are_two_spans() {
        for mode in [ScoringMode::Default, ScoringMode::Strict] {
            assert_eq!(triples("B-a B-a I-a", mode), [("a".into(), 0, 1), ("a".into(), 1, 3)]);
        }
    }

    #[test]
    fn a_change_of_type_inside_begins_a_span_by_conlleval_and_ends_one_in_iob2() {
        assert_eq!(triples("B-a I-b I-b", ScoringMode::Default), [("a".into(), 0, 1), ("b".into(), 1, 3)]);
        assert_eq!(triples("B-a I-b I-a", ScoringMode::Strict), [("a".into(), 0, 1)]);
    }

    #[test]
    fn sentences_do_not_run_into_each_other() {
        let sentences = vec![vec!["B-a"], vec!["I-a", "O"], vec!["B-b"]];
        let found = joined_spans(&sentences, ScoringMode::Default).unwrap();
        let places: Vec<_> = found.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(places, [(0, 1), (2, 3), (5, 6)]);
    }

    #[test]
    fn tags_that_are_not_bio_are_an_error() {
        assert!(spans(&["O", "PER"], ScoringMode::Default).unwrap_err().to_string().contains("PER"));
    }
}
