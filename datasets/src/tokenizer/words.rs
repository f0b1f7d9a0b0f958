//! Words as ids. Each distinct word is tokenized only once.

use std::collections::HashMap;
use std::ops::Range;

use super::t5::T5Tokenizer;
use crate::error::Result;

/// Turns words into the token ids that they have after a space or a sentinel, with a cache.
///
/// It has no locks, so each thread needs its own. Its memory grows with the number of distinct words.
#[derive(Debug)]
pub struct WordEncoder<'a> {
    tokenizer: &'a T5Tokenizer,
    known: HashMap<String, Range<usize>>,
    ids: Vec<u32>,
}

impl T5Tokenizer {
    /// The ids of each word, as after a space or a sentinel. For many sentences use a [`WordEncoder`], which caches words
    /// from one call to the next.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn encode_words<W: AsRef<str>>(&self, words: &[W]) -> Result<Vec<Vec<u32>>> {
        let mut encoder = WordEncoder::new(self);
        words.iter().map(|word| encoder.ids(word.as_ref()).map(<[u32]>::to_vec)).collect()
    }
}

impl<'a> WordEncoder<'a> {
    /// An encoder with an empty cache.
    pub fn new(tokenizer: &'a T5Tokenizer) -> Self {
        Self { tokenizer, known: HashMap::new(), ids: Vec::new() }
    }

    /// The tokenizer that it uses.
    pub fn tokenizer(&self) -> &'a T5Tokenizer {
        self.tokenizer
    }

    /// The ids of a word. There are none if the normalizer removes the word, for example a control character.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn ids(&mut self, word: &str) -> Result<&[u32]> {
        let place = match self.known.get(word) {
            Some(place) => place.clone(),
            None => self.learn(word)?,
        };
        Ok(self.ids.get(place).unwrap_or_default())
    }

    fn learn(&mut self, word: &str) -> Result<Range<usize>> {
        let start = self.ids.len();
        self.ids.extend(self.tokenizer.pieces(word)?);
        let place = start..self.ids.len();
        self.known.insert(word.to_owned(), place.clone());
        Ok(place)
    }
}
