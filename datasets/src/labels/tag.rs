//! One BIO tag and its parts.

use std::fmt;

use crate::error::{Error, Result};

/// A BIO tag: outside every span, at the beginning of one, or further inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag<'a> {
    /// `O`.
    Outside,
    /// `B-TYPE`; holds the type.
    Begin(&'a str),
    /// `I-TYPE`; holds the type.
    Inside(&'a str),
}

impl<'a> Tag<'a> {
    /// Parses a tag.
    ///
    /// # Errors
    /// [`Error::MalformedTag`] unless it is `O`, `B-TYPE` or `I-TYPE`. The type must not be empty and must have no
    /// whitespace, because decoding splits at whitespace.
    ///
    /// ```
    /// use datasets::labels::Tag;
    /// assert_eq!(Tag::parse("B-fromloc.city_name")?, Tag::Begin("fromloc.city_name"));
    /// assert!(Tag::parse("B-").is_err());
    /// assert!(Tag::parse("PER").is_err());
    /// # Ok::<(), datasets::Error>(())
    /// ```
    pub fn parse(tag: &'a str) -> Result<Self> {
        let parsed = match tag.split_at_checked(2) {
            _ if tag == "O" => Some(Self::Outside),
            Some(("B-", kind)) => Some(Self::Begin(kind)),
            Some(("I-", kind)) => Some(Self::Inside(kind)),
            _ => None,
        };
        parsed.filter(|tag| tag.kind().is_none_or(is_word)).ok_or_else(|| Error::MalformedTag { tag: tag.to_owned() })
    }

    /// The type; `None` for `O`.
    #[must_use]
    pub fn kind(self) -> Option<&'a str> {
        match self {
            Self::Outside => None,
            Self::Begin(kind) | Self::Inside(kind) => Some(kind),
        }
    }
}

impl fmt::Display for Tag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("O"),
            Self::Begin(kind) => write!(f, "B-{kind}"),
            Self::Inside(kind) => write!(f, "I-{kind}"),
        }
    }
}

/// Whether decoding, which splits at whitespace, would see `text` as exactly one word.
pub(in crate::labels) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_shows_as_it_was_written() {
        for written in ["O", "B-x", "I-weather/noun", "B-B-x", "B-é"] {
            assert_eq!(Tag::parse(written).map(|tag| tag.to_string()).ok().as_deref(), Some(written));
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        for written in ["", "o", "B", "B-", "I-", "E-x", "B-a b", "B_x", "Bé", "é", "O ", "B-\u{a0}"] {
            assert!(Tag::parse(written).is_err(), "{written:?}");
        }
    }
}
