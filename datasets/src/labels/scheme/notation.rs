//! Tags that write the letter of their scheme in another way than `B-TYPE`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::convert::violations;
use super::names::TagScheme;
use super::recognize::Evidence;
use super::roles::{LETTERS, Raw};

/// What may stand between the letter and the type.
const SEPARATORS: [char; 6] = ['-', '_', ':', '/', '.', '|'];

/// How the tags of a file write the letter of the scheme and the type: `b-TYPE`, `B_TYPE`, `TYPE-B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagNotation {
    separator: char,
    /// Whether the letter comes after the type.
    type_first: bool,
    lower_case: bool,
}

impl TagNotation {
    /// All notations but the usual one.
    fn all() -> impl Iterator<Item = Self> {
        let orders = [(false, false), (false, true), (true, false), (true, true)];
        orders
            .into_iter()
            .flat_map(|(type_first, lower_case)| {
                SEPARATORS.into_iter().map(move |separator| Self { separator, type_first, lower_case })
            })
            .filter(|notation| *notation != Self { separator: '-', type_first: false, lower_case: false })
    }

    /// The letter, in upper case, and the type.
    fn split(self, tag: &str) -> Option<(u8, &str)> {
        let (letter, kind) = match self.type_first {
            false => tag.split_once(self.separator)?,
            true => tag.rsplit_once(self.separator).map(|(kind, letter)| (letter, kind))?,
        };
        let &[letter] = letter.as_bytes() else {
            return None;
        };
        let known = LETTERS.contains(&letter.to_ascii_uppercase()) && letter.is_ascii_lowercase() == self.lower_case;
        (known && !kind.is_empty()).then_some((letter.to_ascii_uppercase(), kind))
    }

    /// The tag in the usual notation; `None` if it has another one.
    fn usual(self, tag: &str) -> Option<String> {
        match tag {
            "O" => Some(tag.to_owned()),
            "o" if self.lower_case => Some("O".to_owned()),
            _ => self.split(tag).map(|(letter, kind)| format!("{}-{kind}", char::from(letter))),
        }
    }

    /// Whether a tag begins or continues a span in this notation.
    fn marks(self, tag: &str) -> bool {
        self.split(tag).is_some_and(|(letter, _)| matches!(letter, b'B' | b'I'))
    }

    /// Changes tags of this notation to the usual one.
    pub(crate) fn apply(self, tags: &mut [String]) {
        for tag in tags {
            if let Some(usual) = self.usual(tag) {
                *tag = usual;
            }
        }
    }

    /// The notation of all tags of a file in which no tag but `O` is usual.
    ///
    /// Types may look like such tags too (`e-mail`, `GROUP_B`). So all tags must have the same notation, one must have `B` or `I`,
    /// and at most a quarter may break the rules of the scheme that they have then.
    pub(super) fn of<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]> + Clone) -> Option<Self> {
        let kinds = kinds(sentences.clone());
        let fits = |notation: &Self| {
            let all = kinds.keys().all(|tag| notation.usual(tag).is_some());
            all && kinds.keys().any(|tag| notation.marks(tag)) && notation.is_plausible(sentences.clone())
        };
        Self::all().find(fits)
    }

    fn is_plausible<'a, S: AsRef<str> + 'a>(self, sentences: impl Iterator<Item = &'a [S]>) -> bool {
        let usual = |tag: &S| self.usual(tag.as_ref()).unwrap_or_default();
        let rewritten: Vec<Vec<String>> = sentences.map(|tags| tags.iter().map(usual).collect()).collect();
        let sentences = rewritten.iter().map(Vec::as_slice);
        let marked: usize = sentences.clone().flatten().filter(|tag| *tag != "O").count();
        let scheme = Evidence::of(sentences.clone()).scheme(sentences.clone());
        let broken: usize = sentences.map(|tags| violations(scheme, tags)).sum();
        broken * 4 <= marked
    }
}

/// The notation of the tags of all sentences, which show `evidence`; `None` if it is the usual one, or if the scheme is given as bare.
pub(crate) fn notation<'a, S: AsRef<str> + 'a>(
    evidence: &Evidence,
    given: Option<TagScheme>,
    sentences: impl Iterator<Item = &'a [S]> + Clone,
) -> Option<TagNotation> {
    let open = evidence.is_bare() && given != Some(TagScheme::Bare);
    if open { TagNotation::of(sentences) } else { None }
}

/// The number of tags that have `B` or `I` in any notation, though the file as a whole has none.
pub(crate) fn marked<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]> + Clone) -> usize {
    let marks = |tag: &str| TagNotation::all().any(|notation| notation.marks(tag));
    kinds(sentences).into_iter().filter(|(tag, _)| marks(tag)).map(|(_, count)| count).sum()
}

/// The different tags except `O`, with their numbers.
fn kinds<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]>) -> BTreeMap<&'a str, usize> {
    let mut kinds = BTreeMap::new();
    for tag in sentences.flatten().map(AsRef::as_ref).filter(|tag| Raw::of(tag) != Raw::Outside) {
        *kinds.entry(tag).or_default() += 1;
    }
    kinds
}

impl fmt::Display for TagNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = if self.lower_case { 'b' } else { 'B' };
        match self.type_first {
            false => write!(f, "{letter}{}TYPE", self.separator),
            true => write!(f, "TYPE{}{letter}", self.separator),
        }
    }
}

impl Serialize for TagNotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
