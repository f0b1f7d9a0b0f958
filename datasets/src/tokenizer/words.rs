//! Words to ids, each distinct word tokenized once.

use std::collections::HashMap;
use std::ops::Range;

use super::T5Tokenizer;
use crate::error::Result;

/// Turns words into token ids, as they are after a space or a sentinel, and remembers them.
///
/// One thread owns it: no locks. Its memory grows with the number of distinct words.
#[derive(Debug)]
pub struct WordEncoder<'a> {
    tokenizer: &'a T5Tokenizer,
    known: HashMap<String, Range<usize>>,
    ids: Vec<u32>,
}

impl<'a> WordEncoder<'a> {
    /// An encoder with an empty cache.
    pub fn new(tokenizer: &'a T5Tokenizer) -> Self {
        Self { tokenizer, known: HashMap::new(), ids: Vec::new() }
    }

    /// The tokenizer behind it.
    pub fn tokenizer(&self) -> &'a T5Tokenizer {
        self.tokenizer
    }

    /// The ids of one word; none for a word the normalizer removes (a control character).
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
