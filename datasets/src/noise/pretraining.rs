//! The mixture of the two pretraining tasks.

use super::copying::{CopyOptions, copy_words};
use super::mask::{longest_input, random_spans_mask};
use super::options::NoiseOptions;
use super::spans::corrupt_spans;
use crate::encode::Pair;
use crate::error::{Error, Result};
use crate::sample::Rng;
use crate::tokenizer::{T5Tokenizer, WordEncoder};

/// Makes pairs from plain text. Each is a sentinel copying or a span corruption, at random.
#[derive(Debug)]
pub struct Pretraining<'a> {
    words: WordEncoder<'a>,
    replacements: Vec<String>,
    options: NoiseOptions,
    longest_input: usize,
}

impl<'a> Pretraining<'a> {
    /// `replacements` are the words that sentinel copying puts in, such as the tags of the tasks.
    ///
    /// # Errors
    /// If an option is out of its range ([`NoiseOptions::validate`]), or words should be replaced and there are no
    /// replacements.
    pub fn new(tokenizer: &'a T5Tokenizer, replacements: Vec<String>, options: NoiseOptions) -> Result<Self> {
        options.validate()?;
        if replacements.is_empty() && options.copy_fraction > 0.0 && options.word_noise > 0.0 {
            let reason = "word_noise needs words to put in; give some or set word_noise to 0";
            return Err(Error::Invalid(reason.to_owned()));
        }
        let longest_input = longest_input(&options);
        Ok(Self { words: WordEncoder::new(tokenizer), replacements, options, longest_input })
    }

    /// A pair from a line of text. Each call draws new random numbers.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn pair(&mut self, line: &str, rng: &mut Rng) -> Result<Pair> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if rng.unit() < self.options.copy_fraction {
            let options = CopyOptions { replacements: &self.replacements, noise: &self.options };
            return copy_words(&mut self.words, &words, options, rng);
        }
        let mut ids = Vec::new();
        for word in words {
            ids.extend_from_slice(self.words.ids(word)?);
        }
        let ids = self.window(&ids, rng);
        let mask = random_spans_mask(ids.len(), &self.options, rng);
        corrupt_spans(self.words.tokenizer(), ids, &mask)
    }

    /// A part of the line at a random position, short enough for the maximal lengths after corruption.
    fn window<'i>(&self, ids: &'i [u32], rng: &mut Rng) -> &'i [u32] {
        let spare = ids.len().saturating_sub(self.longest_input);
        if spare == 0 {
            return ids;
        }
        let start = rng.below(spare + 1);
        ids.get(start..start + self.longest_input).unwrap_or_default()
    }
}
