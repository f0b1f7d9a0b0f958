//! The words that represent tags in the text that a model reads and writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::simplify::{INSIDE, OUTSIDE};
use super::tag::is_word;
use super::tag_set::TagSet;
use crate::error::{Error, Result};

/// A one-to-one renaming of simplified tags into words.
///
/// A tag that is not renamed is written as it is. The default renames none. A small model learns to write
/// `actor` faster than `ACTOR`, because its pretraining has seen the word. In a configuration this is a
/// table from tag to word, `{ ACTOR = "actor" }`.
///
/// ```
/// use datasets::labels::TagWords;
/// let words = TagWords::new([("ACTOR", "actor"), ("O", "none")])?;
/// assert_eq!(words.word("ACTOR"), "actor");
/// assert_eq!(words.tag("none"), "O");
/// assert_eq!(words.tag("TITLE"), "TITLE");
/// # Ok::<(), datasets::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct TagWords {
    words: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

impl TagWords {
    /// Renames the first of each pair (a type, `O` or `I`) to the second.
    ///
    /// # Errors
    /// [`Error::TagWords`] if a word is empty or has whitespace (decoding splits there), or if two tags get the same
    /// word; the message names both tags. `O` and `I` keep their words unless they are renamed too.
    pub fn new<T, W>(pairs: impl IntoIterator<Item = (T, W)>) -> Result<Self>
    where
        T: Into<String>,
        W: Into<String>,
    {
        let words: BTreeMap<String, String> = pairs.into_iter().map(|(tag, word)| (tag.into(), word.into())).collect();
        let mut tags = BTreeMap::new();
        for (tag, word) in &words {
            if !is_word(word) {
                return Err(Error::TagWords(format!(
                    "the tag `{tag}` cannot be written as {word:?}: use one word without whitespace"
                )));
            }
            if let Some(other) = tags.insert(word.clone(), tag.clone()) {
                return Err(clash(&other, tag, word));
            }
        }
        let words = Self { words, tags };
        words.check_unrenamed([OUTSIDE, INSIDE])?;
        Ok(words)
    }

    /// Checks that no unrenamed tag of `set` is equal to the word of another tag.
    ///
    /// # Errors
    /// [`Error::TagWords`] naming both tags.
    pub fn check(&self, set: &TagSet) -> Result<()> {
        self.check_unrenamed(set.simplified())
    }

    fn check_unrenamed<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let unrenamed = |tag: &&str| !self.words.contains_key(*tag);
        match tags.into_iter().filter(unrenamed).find_map(|tag| self.tags.get(tag).map(|other| (other, tag))) {
            Some((other, tag)) => Err(clash(other, tag, tag)),
            None => Ok(()),
        }
    }

    /// The word that a simplified tag is written as.
    #[must_use]
    pub fn word<'a>(&'a self, tag: &'a str) -> &'a str {
        self.words.get(tag).map_or(tag, String::as_str)
    }

    /// The simplified tag of a written word. A word that no tag was renamed to is its own tag.
    #[must_use]
    pub fn tag<'a>(&'a self, word: &'a str) -> &'a str {
        self.tags.get(word).map_or(word, String::as_str)
    }
}

fn clash(one: &str, other: &str, word: &str) -> Error {
    Error::TagWords(format!(
        "the tags `{one}` and `{other}` would both be written as `{word}`: give each tag a different word"
    ))
}

impl TryFrom<BTreeMap<String, String>> for TagWords {
    type Error = Error;

    fn try_from(words: BTreeMap<String, String>) -> Result<Self> {
        Self::new(words)
    }
}

impl From<TagWords> for BTreeMap<String, String> {
    fn from(words: TagWords) -> Self {
        words.words
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn two_tags_with_one_word_are_both_named() {
        let error = message(TagWords::new([("ACTOR", "person"), ("DIRECTOR", "person")]));
        assert!(error.contains("`ACTOR`") && error.contains("`DIRECTOR`"), "{error}");
        let error = message(TagWords::new([("OUT", "O")]));
        assert!(error.contains("`OUT`") && error.contains("`O`"), "{error}");
    }

    #[test]
    fn a_word_may_not_look_like_a_tag_that_keeps_its_name() {
        let words = TagWords::new([("ACTOR", "person")]).unwrap();
        let set = TagSet::of_tags(["B-ACTOR", "B-person"]).unwrap();
        let error = message(words.check(&set));
        assert!(error.contains("`ACTOR`") && error.contains("`person`"), "{error}");
        words.check(&TagSet::of_tags(["B-ACTOR", "O"]).unwrap()).unwrap();
    }

    #[test]
    fn tags_may_swap_their_words() {
        let words = TagWords::new([("a", "b"), ("b", "a")]).unwrap();
        assert_eq!((words.word("a"), words.tag("a")), ("b", "b"));
    }

    #[test]
    fn a_word_must_be_one_word() {
        assert!(message(TagWords::new([("a", "city name")])).contains("city name"));
        assert!(TagWords::new([("a", "")]).is_err());
    }

    #[test]
    fn a_configuration_holds_the_table_alone() {
        let words: TagWords = serde_json::from_str(r#"{"ACTOR": "actor"}"#).unwrap();
        assert_eq!(words.word("ACTOR"), "actor");
        assert_eq!(serde_json::to_string(&words).unwrap(), r#"{"ACTOR":"actor"}"#);
        assert!(serde_json::from_str::<TagWords>(r#"{"A": "x", "B": "x"}"#).is_err());
    }
}
