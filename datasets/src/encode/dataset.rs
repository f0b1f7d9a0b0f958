//! A whole dataset at once, on all cores.

use rayon::prelude::*;

use super::{AsPair, EncodeOptions, Encoder, Pair};
use crate::error::Result;
use crate::read::Example;
use crate::tokenizer::T5Tokenizer;

/// How many sentences of a dataset lost their tails to the maximal lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TruncationCount {
    /// Sentences looked at.
    pub sentences: usize,
    /// Those whose source was cut.
    pub source: usize,
    /// Those whose target was cut.
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

    /// Whether anything was lost.
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

/// Encodes all sentences in their order; `words_of` gives the tags of one as they are to be written.
///
/// ```
/// use datasets::encode::{EncodeOptions, TruncationCount, encode_all};
/// use datasets::labels::simplify;
/// use datasets::read::Example;
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
/// Those of `words_of` and of [`Encoder::encode`]; of several sentences that fail, the first.
pub fn encode_all<'e>(
    tokenizer: &T5Tokenizer,
    options: &EncodeOptions,
    examples: &'e [Example],
    words_of: impl Fn(&'e Example) -> Result<Vec<&'e str>> + Sync,
) -> Result<Vec<Pair>> {
    // One stretch per thread: each has a word cache of its own, which should not start over often.
    let stretch = examples.len().div_ceil(rayon::current_num_threads()).max(1);
    let stretches: Vec<Result<Vec<Pair>>> = examples
        .par_chunks(stretch)
        .map(|examples| {
            let mut encoder = Encoder::new(tokenizer, options)?;
            examples.iter().map(|example| encoder.encode(&example.tokens, &words_of(example)?)).collect()
        })
        .collect();
    let stretches: Vec<Vec<Pair>> = stretches.into_iter().collect::<Result<_>>()?;
    Ok(stretches.into_iter().flatten().collect())
}
