//! Structured decoding of sequence labels: the sentinels are fed, only tags of the task may follow, one for each word.
//!
//! A target is `<extra_id_0> tag0 <extra_id_1> tag1 … <extra_id_n> </s>`. At each point the [`Grammar`] knows which tokens
//! may come: those that go on with a tag, and, where a tag is complete, the next sentinel. The likeliest of *these* is taken,
//! by the logits of these alone; where there is but one, nothing is computed. Where free greedy search writes a well-formed
//! target, each of its tokens was the likeliest of all and allowed, so this writes the same.
//!
//! | module | idea |
//! |---|---|
//! | `trie` | the tags as a tree of tokens |
//! | `grammar` | what may follow |
//! | `path` | one target being written |
//! | `greedy` | the likeliest token at every choice; several words in one pass |
//! | `guess` | what the next words' tags may be |
//! | `beam` | the n best sequences |

mod beam;
mod grammar;
mod greedy;
mod guess;
mod path;
#[cfg(test)]
mod tests;
mod trie;

use peft_core::ActiveAdapters;

use crate::{Candidates, Encoded, T5};
use crate::{Error, Result};

use grammar::Grammar;

/// Tags for the words of one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct TagSequence {
    /// The number of each word's tag.
    pub tags: Vec<usize>,
    /// The probability of each tag, given those before it: the product over its choices of the probability among the tokens
    /// that were allowed there.
    pub confidences: Vec<f32>,
    /// The sum of the logarithms of these probabilities.
    pub score: f64,
}

/// Writes tags of one task with one model.
///
/// Holds the task's tags as a trie over their tokens, and the rows of the output projection for these tokens.
#[derive(Debug)]
pub struct TagDecoder {
    grammar: Grammar,
    candidates: Candidates,
}

/// What the decoder reads: a model, what acts in it, and encoded sentences.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The model.
    pub t5: &'a T5,
    /// The encoder's output.
    pub encoded: &'a Encoded,
    /// What acts in the model.
    pub active: &'a ActiveAdapters<'a>,
}

impl TagDecoder {
    /// A decoder for tags, by name and tokens, between `sentinels`, `<extra_id_0>` first.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no tag, a tag has no tokens, contains a sentinel, or has the tokens of another.
    pub fn new<S: AsRef<str>>(t5: &T5, tags: &[(S, Vec<u32>)], sentinels: &[u32]) -> Result<Self> {
        let grammar = Grammar::new(tags, sentinels)?;
        let candidates = t5.candidates(grammar.candidates())?;
        Ok(Self { grammar, candidates })
    }

    /// The `beams` best tag sequences of each sentence, best first, where sentence `i` has `words[i]` words; fewer where
    /// there are no more.
    ///
    /// One beam takes the likeliest token at every choice. More keep, after each word, the likeliest sequences of whole
    /// tags: of the sequences kept before, with each tag, none that is likelier was left out.
    ///
    /// # Errors
    /// [`Error::Config`] if a sentence has more words than there are sentinels to close them, or `words` another length
    /// than the batch; otherwise as [`T5::decode_packed`].
    pub fn decode(&self, source: &Source<'_>, words: &[usize], beams: usize) -> Result<Vec<Vec<TagSequence>>> {
        let sentences = source.encoded.sentences();
        if words.len() != sentences {
            return Err(Error::Mismatch(format!("{sentences} sentences were encoded, {} counted", words.len())));
        }
        let most = self.grammar.most_words();
        if let Some(words) = words.iter().find(|words| **words > most) {
            return Err(Error::Mismatch(format!(
                "a sentence of {words} words has no {words} + 1 sentinels; cut it to {most}"
            )));
        }
        match beams {
            0 | 1 => Ok(greedy::decode(self, source, words)?.into_iter().map(|best| vec![best]).collect()),
            _ => beam::decode(self, source, words, beams),
        }
    }

    /// Room that most targets of so many words do not exceed.
    pub fn room(words: &[usize]) -> usize {
        2 + 3 * words.iter().max().copied().unwrap_or_default()
    }
}
