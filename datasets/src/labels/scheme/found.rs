//! What is said about the tags of a corpus.

use std::fmt;

use serde::Serialize;

use super::names::TagScheme;
use super::notation::TagNotation;

/// What is known about the tags of a corpus before they were converted to IOB2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SchemeFound {
    /// The scheme that the tags were read as.
    pub scheme: TagScheme,
    /// Whether the caller named it. Otherwise it was recognized.
    pub given: bool,
    /// How the tags write letter and type; `None` if they do so in the usual way, `B-TYPE`, or have no letters.
    pub notation: Option<TagNotation>,
    /// The number of tags that are read as types although they look as if they had a letter, because not all tags do.
    pub marked: usize,
    /// The number of spans.
    pub spans: usize,
    /// The number of tags that break the rules of the scheme, for example an `I-X` in `iob2` that begins a span.
    pub irregular: usize,
}

impl fmt::Display for SchemeFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, given, notation, marked, spans, irregular } = *self;
        let how = if given { "given" } else { "recognized" };
        match scheme {
            _ if spans == 0 => write!(f, "no spans, every tag is O")?,
            TagScheme::Iob2 => write!(f, "tag scheme iob2")?,
            TagScheme::Iob1 => write!(
                f,
                "tag scheme iob1 ({how}; {spans} spans, which begin with I- unless they follow one of their type), \
                 converted to iob2"
            )?,
            TagScheme::Io => write!(
                f,
                "tag scheme io or iob1 ({how}; all {spans} spans begin with I-), converted to iob2: neighbors of one \
                 type are one span"
            )?,
            TagScheme::Bare => write!(
                f,
                "tag scheme bare ({how}; the {spans} spans have types without B- or I-), converted to iob2: neighbors \
                 of one type are one span"
            )?,
            other => write!(f, "tag scheme {other} ({how}; {spans} spans), converted to iob2")?,
        }
        if let Some(notation) = notation {
            write!(f, "; tags written as {notation} are read as B-TYPE")?;
        }
        if marked > 0 {
            write!(
                f,
                "; {marked} tags look like B-TYPE in another notation, but not all tags do: they are read as types"
            )?;
        }
        if irregular > 0 {
            let what = match scheme {
                TagScheme::Iob2 => "of its spans begin with I-",
                _ => "tags break its rules",
            };
            write!(f, "; {irregular} {what}")?;
        }
        Ok(())
    }
}
