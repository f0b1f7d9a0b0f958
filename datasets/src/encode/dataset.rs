//! Encoding a whole data set on all cores.

use rayon::prelude::*;

use super::sentinel::{EncodeOptions, Encoder, Pair};
use super::view::AsPair;
use crate::error::Result;
use crate::example::Example;
use crate::tokenizer::T5Tokenizer;

/// The number of sentences that were cut off at the maximal lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TruncationCount {
    /// All sentences.
    pub sentences: usize,
    /// Sentences with a source that was cut off.
    pub source: usize,
    /// Sentences with a target that was cut off.
    pub target: usize,
}

impl TruncationCount {
    /// Counts the pairs that are marked as truncated.
    pub fn of<P: AsPair>(pairs: impl IntoIterator<Item = P>) -> Self {
        let mut count = Self::default();
        for pair in pairs {
            let pair = pair.as_pair();
            count.sentences += 1;
            count.source += usize::from(pair.source_truncated);
            count.target += usize::from(pair.target_truncated);
        }
        count
    }

    /// Whether anything was cut off.
    pub fn any(&self) -> bool {
        self.source > 0 || self.target > 0
    }
}

/// `12 of 4478 sources and 3 targets cut at their maximal length`.
impl std::fmt::Display for TruncationCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sentences, source, target } = self;
        write!(f, "{source} of {sentences} sources and {target} targets cut at their maximal length")
    }
}

/// Encodes all sentences and keeps their order. `words_of` gives the tags of a sentence as the target writes them.
///
/// ```
/// use datasets::encode::{EncodeOptions, TruncationCount, encode_all};
/// use datasets::labels::simplify;
/// use datasets::Example;
/// # use datasets::tokenizer::{TrainOptions, train_unigram};
///
/// # let tokenizer = train_unigram(["flights to Rome"], &TrainOptions { vocab_size: 120, keep_words: vec![] })?;
/// let examples = [Example::new(["to", "Rome"], ["O", "B-city"])];
/// let pairs = encode_all(&tokenizer, &EncodeOptions::default(), &examples, |example| simplify(&example.tags))?;
/// assert!(!TruncationCount::of(&pairs).any());
/// # Ok::<(), datasets::Error>(())
/// ```
///
/// # Errors
/// As `words_of` and [`Encoder::encode`]. If several sentences fail, the error is that of the first.
pub fn encode_all<'e>(
    tokenizer: &T5Tokenizer,
    options: &EncodeOptions,
    examples: &'e [Example],
    words_of: impl Fn(&'e Example) -> Result<Vec<&'e str>> + Sync,
) -> Result<Vec<Pair>> {
    // One chunk per thread: each chunk has its own word cache, and a new cache starts empty.
    let size = examples.len().div_ceil(rayon::current_num_threads()).max(1);
    let chunks: Vec<Result<Vec<Pair>>> = examples
        .par_chunks(size)
        .map(|examples| {
            let mut encoder = Encoder::new(tokenizer, options)?;
            examples.iter().map(|example| encoder.encode(&example.tokens, &words_of(example)?)).collect()
        })
        .collect();
    let chunks: Vec<Vec<Pair>> = chunks.into_iter().collect::<Result<_>>()?;
    Ok(chunks.into_iter().flatten().collect())
}
