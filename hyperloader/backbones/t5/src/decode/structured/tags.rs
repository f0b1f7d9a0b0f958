//! The tags of one task, and a sequence of them.

use super::grammar::TagGrammar;
use crate::candidates::Candidates;

/// Tags for the words of one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct TagSequence {
    /// The number of each word's tag.
    pub tags: Vec<usize>,
    /// The probability of each tag, given those before it: the product over its tokens of the probability among the tokens
    /// that were allowed there.
    pub confidences: Vec<f32>,
    /// The sum of the logarithms of these probabilities.
    pub score: f64,
}

/// The tags of one task as a trie over their tokens, and the rows of the output projection for these tokens.
#[derive(Debug)]
pub(super) struct Tags {
    pub(super) grammar: TagGrammar,
    pub(super) candidates: Candidates,
}

/// Tokens that most targets of so many words do not exceed.
pub(super) fn room(words: &[usize]) -> usize {
    2 + 3 * words.iter().max().copied().unwrap_or_default()
}
