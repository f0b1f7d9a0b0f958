//! The letters of tags, and what they mean in a scheme.

use super::names::TagScheme;
use crate::labels::tag::is_word;

/// A tag without interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw<'a> {
    /// `O`.
    Outside,
    /// One of the known letters, a hyphen and a type.
    Marked(u8, &'a str),
    /// Any other word, which is a type where types are bare.
    Bare(&'a str),
    /// Not a word.
    Malformed,
}

impl<'a> Raw<'a> {
    pub(super) fn of(tag: &'a str) -> Self {
        if tag == "O" {
            return Self::Outside;
        }
        match (tag.as_bytes(), tag.get(2..)) {
            (&[letter, b'-', ..], Some(kind)) if LETTERS.contains(&letter) => match is_word(kind) {
                true => Self::Marked(letter, kind),
                false => Self::Malformed,
            },
            _ if is_word(tag) => Self::Bare(tag),
            _ => Self::Malformed,
        }
    }
}

/// The letters of all schemes.
pub(super) const LETTERS: &[u8] = b"BIESLUMW";

/// Whether a word is a letter of a tag without the type.
pub(super) fn is_letter(word: &str) -> bool {
    matches!(word.as_bytes(), [letter] if LETTERS.contains(letter))
}

/// What a token is to its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The first of several.
    Begin,
    /// Neither first nor last; in schemes without marked ends, any but the first.
    Inside,
    /// The last of several.
    End,
    /// The only one.
    Single,
}

impl TagScheme {
    /// Whether the last token of a span has a letter of its own.
    pub(super) fn marks_ends(self) -> bool {
        matches!(self, Self::Bioes | Self::Bilou | Self::Bmewo | Self::Bmes)
    }

    /// The letters of begin, inside, end and single.
    pub(super) fn letters(self) -> [u8; 4] {
        match self {
            Self::Iob2 | Self::Iob1 | Self::Io | Self::Bare => *b"BIIB",
            Self::Bioes => *b"BIES",
            Self::Bilou => *b"BILU",
            Self::Bmewo => *b"BMEW",
            Self::Bmes => *b"BMES",
        }
    }

    /// The role of a letter; `None` if the scheme does not have the letter.
    pub(super) fn role(self, letter: u8) -> Option<Role> {
        let [begin, inside, end, single] = self.letters();
        match letter {
            _ if letter == begin => Some(Role::Begin),
            _ if letter == inside => Some(Role::Inside),
            _ if self.marks_ends() && letter == end => Some(Role::End),
            _ if self.marks_ends() && letter == single => Some(Role::Single),
            _ => None,
        }
    }
}

/// Whether a word looks like a tag of some scheme: `O`, or a known letter, a hyphen and a type.
pub(crate) fn looks_like_tag(word: &str) -> bool {
    matches!(Raw::of(word), Raw::Outside | Raw::Marked(..))
}
