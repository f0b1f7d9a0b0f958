//! The tags that a corpus uses.

use std::collections::BTreeSet;

use super::simplify::simplify_one;
use super::{INSIDE, OUTSIDE, Tag};
use crate::Result;
use crate::read::Example;

/// The distinct tags of a corpus, sorted: what a decoder may write for it.
///
/// ```
/// use datasets::labels::TagSet;
/// let set = TagSet::of_tags(["O", "B-city", "I-city", "B-airline"])?;
/// assert_eq!(set.simplified().collect::<Vec<_>>(), ["I", "O", "airline", "city"]);
/// assert_eq!(set.types().collect::<Vec<_>>(), ["airline", "city"]);
/// assert_eq!(set.bio().last(), Some(("B-city".to_owned(), "I-city".to_owned())));
/// # Ok::<(), datasets::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagSet {
    simplified: BTreeSet<String>,
}

impl TagSet {
    /// The tags of some sentences.
    ///
    /// # Errors
    /// As [`TagSet::of_tags`].
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Result<Self> {
        Self::of_tags(examples.into_iter().flat_map(|example| &example.tags))
    }

    /// The tags of some BIO tags.
    ///
    /// # Errors
    /// Those of [`simplify`](super::simplify()): a malformed tag, or a type named `O` or `I`.
    pub fn of_tags<S: AsRef<str>>(tags: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut simplified = BTreeSet::new();
        for tag in tags {
            let word = simplify_one(tag.as_ref())?;
            if !simplified.contains(word) {
                simplified.insert(word.to_owned());
            }
        }
        Ok(Self { simplified })
    }

    /// Adds the tags of another corpus.
    pub fn extend(&mut self, other: &Self) {
        self.simplified.extend(other.simplified.iter().cloned());
    }

    /// The simplified tags that occur, sorted: types, `I` and `O`.
    pub fn simplified(&self) -> impl Iterator<Item = &str> {
        self.simplified.iter().map(String::as_str)
    }

    /// The types that begin a span somewhere, sorted.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.simplified().filter(|word| ![OUTSIDE, INSIDE].contains(word))
    }

    /// The pair (`B-X`, `I-X`) of every type, sorted.
    pub fn bio(&self) -> impl Iterator<Item = (String, String)> {
        self.types().map(|kind| (Tag::Begin(kind).to_string(), Tag::Inside(kind).to_string()))
    }

    /// How many simplified tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.simplified.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.simplified.is_empty()
    }
}
