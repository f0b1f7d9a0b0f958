//! BIO to sBIO and back.

use super::tag::Tag;
use crate::error::{Error, Result};

/// The simplified tag of a token outside every span.
pub const OUTSIDE: &str = "O";
/// The simplified tag of every token of a span except the first.
pub const INSIDE: &str = "I";

/// BIO to sBIO: `B-X` → `X`, `I-X` → `I`, `O` → `O`.
///
/// [`restore`] gives back the same tags only for well-formed BIO: an `I-X` that continues no span becomes `O`.
///
/// # Errors
/// [`Error::MalformedTag`]; [`Error::TagWords`] for `B-O` and `B-I`, which would become [`OUTSIDE`] and [`INSIDE`].
pub fn simplify<S: AsRef<str>>(tags: &[S]) -> Result<Vec<&str>> {
    tags.iter().map(|tag| simplify_one(tag.as_ref())).collect()
}

pub(super) fn simplify_one(tag: &str) -> Result<&str> {
    match Tag::parse(tag)? {
        Tag::Outside => Ok(OUTSIDE),
        Tag::Inside(_) => Ok(INSIDE),
        Tag::Begin(kind) if kind == OUTSIDE || kind == INSIDE => Err(Error::TagWords(format!(
            "the tag `{tag}` would simplify to `{kind}`, which has another meaning: rename the type"
        ))),
        Tag::Begin(kind) => Ok(kind),
    }
}

/// sBIO to BIO, for any words that a model may have written. A word `X` other than `O` and `I` begins a span
/// (`B-X`). Each `I` directly after it continues the span (`I-X`). An `I` that continues no span is `O`.
///
/// ```
/// use datasets::labels::restore;
/// assert_eq!(restore(&["I", "city", "I", "O", "I"]), ["O", "B-city", "I-city", "O", "O"]);
/// ```
#[must_use]
pub fn restore<S: AsRef<str>>(words: &[S]) -> Vec<String> {
    let mut open: Option<&str> = None;
    words
        .iter()
        .map(|word| match (word.as_ref(), open) {
            (INSIDE, Some(kind)) => Tag::Inside(kind).to_string(),
            (INSIDE | OUTSIDE, _) => {
                open = None;
                Tag::Outside.to_string()
            }
            (kind, _) => {
                open = Some(kind);
                Tag::Begin(kind).to_string()
            }
        })
        .collect()
}

/// Cuts the tags to `len`, or pads them with `O`, as the authors of the paper do before scoring.
#[must_use]
pub fn fit(mut tags: Vec<String>, len: usize) -> Vec<String> {
    tags.resize_with(len, || OUTSIDE.to_owned());
    tags
}

/// A generated text as the BIO tags of a sentence of `len` tokens. The text is split at whitespace, word k is
/// tag k ([`restore`]), and the tags are cut or padded ([`fit`]).
///
/// ```
/// use datasets::labels::decode;
/// assert_eq!(decode("O city I O O", 4), ["O", "B-city", "I-city", "O"]);
/// assert_eq!(decode("city", 2), ["B-city", "O"]);
/// ```
#[must_use]
pub fn decode(text: &str, len: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    fit(restore(&words), len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_that_would_mean_something_else_are_refused() {
        for tag in ["B-O", "B-I"] {
            let error = simplify(&[tag]).map(|_| ()).map_err(|error| error.to_string());
            assert!(error.is_err_and(|message| message.contains(tag)));
        }
    }

    #[test]
    fn malformed_tags_are_named() {
        let error = simplify(&["O", "city"]).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|message| message.contains("\"city\"")));
    }

    /// Spans of a type and a length, with gaps between them: well-formed BIO.
    fn well_formed() -> impl Strategy<Value = Vec<String>> {
        let span = ("[a-zé_.]{1,8}", 1_usize..4).prop_map(|(kind, len)| {
            let inside = std::iter::repeat_n(format!("I-{kind}"), len - 1);
            std::iter::once(format!("B-{kind}")).chain(inside).collect()
        });
        let gap = (1_usize..4).prop_map(|len| vec!["O".to_owned(); len]);
        prop::collection::vec(prop_oneof![span, gap], 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn well_formed_bio_comes_back_whole(tags in well_formed()) {
            let words = simplify(&tags).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(restore(&words), tags.clone());
            prop_assert_eq!(decode(&words.join(" "), tags.len()), tags);
        }

        #[test]
        fn any_text_decodes_to_well_formed_tags_of_the_asked_length(text in ".*", len in 0_usize..20) {
            let tags = decode(&text, len);
            prop_assert_eq!(tags.len(), len);
            let mut open: Option<&str> = None;
            for tag in &tags {
                let tag = Tag::parse(tag).map_err(|error| TestCaseError::fail(error.to_string()))?;
                if let Tag::Inside(kind) = tag {
                    prop_assert_eq!(open, Some(kind));
                }
                open = tag.kind();
            }
        }
    }
}
