//! The mixture of both tasks.

use super::mask::longest_input;
use super::{NoiseOptions, copy_words, corrupt_spans, random_spans_mask};
use crate::encode::Pair;
use crate::error::{Error, Result};
use crate::sample::Rng;
use crate::tokenizer::{T5Tokenizer, WordEncoder};

/// Makes pairs of plain text, each a sentinel copying or a span corruption by chance.
#[derive(Debug)]
pub struct Pretraining<'a> {
    words: WordEncoder<'a>,
    others: Vec<String>,
    options: NoiseOptions,
    longest_input: usize,
}

impl<'a> Pretraining<'a> {
    /// `others` are the words that copying puts in the place of words, such as the tasks' tags.
    ///
    /// # Errors
    /// If a setting is out of its range ([`NoiseOptions::validate`]), or words should be replaced and
    /// `others` is empty.
    pub fn new(tokenizer: &'a T5Tokenizer, others: Vec<String>, options: NoiseOptions) -> Result<Self> {
        options.validate()?;
        if others.is_empty() && options.copy_fraction > 0.0 && options.word_noise > 0.0 {
            let reason = "word_noise needs words to put in; give some or set word_noise to 0";
            return Err(Error::Invalid(reason.to_owned()));
        }
        let longest_input = longest_input(&options);
        Ok(Self { words: WordEncoder::new(tokenizer), others, options, longest_input })
    }

    /// One pair from one line of text, drawn anew at each call.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn pair(&mut self, line: &str, rng: &mut Rng) -> Result<Pair> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if rng.unit() < self.options.copy_fraction {
            return copy_words(&mut self.words, &words, &self.others, &self.options, rng);
        }
        let mut ids = Vec::new();
        for word in words {
            ids.extend_from_slice(self.words.ids(word)?);
        }
        let ids = self.window(&ids, rng);
        let mask = random_spans_mask(ids.len(), &self.options, rng);
        corrupt_spans(self.words.tokenizer(), ids, &mask)
    }

    /// A stretch of the line, at a random place, that fits the maximal lengths once corrupted.
    fn window<'i>(&self, ids: &'i [u32], rng: &mut Rng) -> &'i [u32] {
        let spare = ids.len().saturating_sub(self.longest_input);
        if spare == 0 {
            return ids;
        }
        let start = rng.below(spare + 1);
        ids.get(start..start + self.longest_input).unwrap_or_default()
    }
}
