//! Structured decoding of sequence labels: every word gets exactly one tag of the task.
//!
//! A target is `<extra_id_0> tag0 <extra_id_1> tag1 … <extra_id_n> </s>`. The sentinels are fed. At each point a grammar
//! knows which tokens may follow: those that continue a tag and, after a complete tag, the next sentinel. The likeliest of
//! *these* is taken, by their logits alone. Where only one may follow, nothing is computed. Where free greedy search writes a
//! well-formed target, each of its tokens was the likeliest of all words and allowed, so structured decoding writes the same.
//!
//! | module | idea |
//! |---|---|
//! | `trie` | the tags as a tree of tokens |
//! | `grammar` | which tokens may follow |
//! | `tags` | a task's tags with a model's scores for them |
//! | `path` | one target being written |
//! | `greedy` | the likeliest token at every choice; several words in one pass |
//! | `draft` | a guess at the tags of the next words |
//! | `beam` | the n best sequences |

mod beam;
mod draft;
mod grammar;
mod greedy;
mod path;
mod tags;
#[cfg(test)]
mod tests;
mod trie;

pub use tags::TagSequence;

use super::source::Source;
use crate::error::{Error, Result};
use crate::model::T5;
use grammar::TagGrammar;
use tags::Tags;

/// Writes tags of one task with one model.
///
/// Holds the task's tags as a trie over their tokens, and the rows of the output projection for these tokens.
#[derive(Debug)]
pub struct TagDecoder(Tags);

impl TagDecoder {
    /// A decoder for tags, by name and tokens, between `sentinels`, `<extra_id_0>` first.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no tag, a tag has no tokens, contains a sentinel, or has the tokens of another.
    pub fn new<S: AsRef<str>>(t5: &T5, tags: &[(S, Vec<u32>)], sentinels: &[u32]) -> Result<Self> {
        let grammar = TagGrammar::new(tags, sentinels)?;
        let candidates = t5.candidates(grammar.candidates())?;
        Ok(Self(Tags { grammar, candidates }))
    }

    /// The `beams` best tag sequences of each sentence, best first, where sentence `i` has `words[i]` words; fewer where
    /// there are no more.
    ///
    /// One beam takes the likeliest token at every choice. More are a beam search over whole tags: after each word, every
    /// surviving sequence is extended by every tag before the likeliest are kept.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a sentence has more words than there are sentinels to close them, or `words` has another length
    /// than the batch; otherwise as [`T5::decode_packed`].
    pub fn decode(&self, source: &Source<'_>, words: &[usize], beams: usize) -> Result<Vec<Vec<TagSequence>>> {
        let sentences = source.encoded.sentences();
        if words.len() != sentences {
            return Err(Error::Mismatch(format!(
                "{sentences} sentences were encoded, and the words of {} were counted",
                words.len()
            )));
        }
        let most = self.0.grammar.most_words();
        if let Some(words) = words.iter().find(|words| **words > most) {
            return Err(Error::Mismatch(format!(
                "a sentence of {words} words has no {words} + 1 sentinels; cut it to {most}"
            )));
        }
        match beams {
            0 | 1 => Ok(greedy::decode(&self.0, source, words)?.into_iter().map(|best| vec![best]).collect()),
            _ => beam::decode(&self.0, source, words, beams),
        }
    }

    /// Target tokens that most sentences of so many words do not exceed.
    pub fn room(words: &[usize]) -> usize {
        tags::room(words)
    }
}
