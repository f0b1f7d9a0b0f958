//! The tags that a corpus uses.

use std::collections::BTreeSet;

use super::simplify::{INSIDE, OUTSIDE, simplify_one};
use super::tag::Tag;
use crate::error::Result;
use crate::example::Example;

/// The distinct tags of a corpus, sorted. These are the tags that a decoder may write.
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
    /// The tags of the given sentences.
    ///
    /// # Errors
    /// As [`TagSet::of_tags`].
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Result<Self> {
        Self::of_tags(examples.into_iter().flat_map(|example| &example.tags))
    }

    /// The set of the given BIO tags.
    ///
    /// # Errors
    /// As [`simplify`](super::simplify()): a malformed tag, or a type named `O` or `I`.
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

    /// The simplified tags, sorted: types, `I` and `O`.
    pub fn simplified(&self) -> impl Iterator<Item = &str> {
        self.simplified.iter().map(String::as_str)
    }

    /// The types of spans, sorted.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.simplified().filter(|word| ![OUTSIDE, INSIDE].contains(word))
    }

    /// The pair (`B-X`, `I-X`) of every type, sorted.
    pub fn bio(&self) -> impl Iterator<Item = (String, String)> {
        self.types().map(|kind| (Tag::Begin(kind).to_string(), Tag::Inside(kind).to_string()))
    }

    /// The number of simplified tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.simplified.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.simplified.is_empty()
    }
}
