//! Spans of a tagged sentence.

use datasets::metrics::{Mode, spans};
use serde::Serialize;

use crate::Result;

/// One span of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaggedSpan {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The index of its first word, counted from 0.
    pub start: usize,
    /// The index after its last word.
    pub end: usize,
    /// Its words.
    pub text: String,
}

/// The spans that `tags` mark in `tokens`, from left to right.
///
/// ```
/// # use hyperloader::label::tagged_spans;
/// let spans = tagged_spans(&["fly", "to", "new", "york"], &["O", "O", "B-city", "I-city"])?;
/// assert_eq!((spans[0].kind.as_str(), spans[0].text.as_str()), ("city", "new york"));
/// # Ok::<(), hyperloader::Error>(())
/// ```
///
/// # Errors
/// If a tag is not a BIO tag.
pub fn tagged_spans<W: AsRef<str>, T: AsRef<str>>(tokens: &[W], tags: &[T]) -> Result<Vec<TaggedSpan>> {
    let span = |span: datasets::metrics::Span<'_>| {
        let words = tokens.get(span.start..span.end).unwrap_or_default();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        TaggedSpan { kind: span.kind.to_owned(), start: span.start, end: span.end, text: words.join(" ") }
    };
    Ok(spans(tags, Mode::Default)?.into_iter().map(span).collect())
}
