//! The distribution of lengths, and the sentences that are cut.

use std::fmt;

use datasets::Example;
use datasets::encode::{EncodeOptions, Pair, encode_all};
use datasets::labels::simplify;
use datasets::tokenizer::T5Tokenizer;
use serde::Serialize;

use crate::Result;
use crate::cli::args::LengthArgs;

/// A distribution of lengths: the smallest, the largest, the mean, and the quantiles at 25, 50, 75, 95 and 99 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Lengths {
    /// The shortest.
    pub(super) min: usize,
    /// A quarter are at most this long.
    pub(super) p25: usize,
    /// Half are at most this long.
    pub(super) median: usize,
    /// Three quarters are at most this long.
    pub(super) p75: usize,
    /// 95 % are at most this long.
    pub(super) p95: usize,
    /// 99 % are at most this long.
    pub(super) p99: usize,
    /// The longest.
    pub(super) max: usize,
    /// The arithmetic mean.
    pub(super) mean: f64,
}

impl Lengths {
    /// The distribution of `lengths`; all zero if there are none.
    pub(super) fn of(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut sorted: Vec<usize> = lengths.into_iter().collect();
        sorted.sort_unstable();
        let count = sorted.len();
        let percentile = |p: usize| {
            let rank = (count * p).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or_default()
        };
        Self {
            min: percentile(0),
            p25: percentile(25),
            median: percentile(50),
            p75: percentile(75),
            p95: percentile(95),
            p99: percentile(99),
            max: percentile(100),
            mean: sorted.iter().sum::<usize>() as f64 / count.max(1) as f64,
        }
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, p25, median, p75, p95, p99, max, mean } = self;
        write!(
            f,
            "min {min}, 25 % {p25}, median {median}, 75 % {p75}, 95 % {p95}, 99 % {p99}, max {max}, mean {mean:.1}"
        )
    }
}

/// The lengths of sentences in tokens, and how many sentences are cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Truncation {
    /// The most tokens of a source, `</s>` included.
    pub(super) max_source_length: usize,
    /// The most tokens of a target, `</s>` included.
    pub(super) max_target_length: usize,
    /// Sentences whose source is cut.
    pub(super) sources_cut: usize,
    /// Sentences whose target is cut.
    pub(super) targets_cut: usize,
    /// Tokens of the sources before they are cut.
    pub(super) source_tokens: Lengths,
    /// Tokens of the targets before they are cut.
    pub(super) target_tokens: Lengths,
}

impl Truncation {
    /// Tokenizes `examples` and counts those that the limits cut.
    ///
    /// A sentence of 100 words or more always counts as cut, because there are not enough sentinels for its words.
    ///
    /// # Errors
    /// If a tag cannot be simplified or the tokenizer fails.
    pub(super) fn of(examples: &[Example], tokenizer: &T5Tokenizer, limits: LengthArgs) -> Result<Self> {
        let (max_source_length, max_target_length) = (limits.max_source_length.get(), limits.max_target_length.get());
        let uncut =
            EncodeOptions { max_source_length: usize::MAX, max_target_length: usize::MAX, ..EncodeOptions::default() };
        let pairs = encode_all(tokenizer, &uncut, examples, |example| simplify(&example.tags))?;
        let count = |cut: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|pair| cut(pair)).count();
        Ok(Self {
            max_source_length,
            max_target_length,
            sources_cut: count(&|p| p.source_truncated || p.source.len() > max_source_length),
            targets_cut: count(&|p| p.target_truncated || p.target.len() > max_target_length),
            source_tokens: Lengths::of(pairs.iter().map(|p| p.source.len())),
            target_tokens: Lengths::of(pairs.iter().map(|p| p.target.len())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lengths_that_occur() {
        let lengths = Lengths::of((1..=200).rev());
        let Lengths { min, p25, median, p75, p95, p99, max, mean } = lengths;
        assert_eq!((min, p25, median, p75, p95, p99, max), (1, 50, 100, 150, 190, 198, 200));
        assert_eq!(mean, 100.5);
    }

    #[test]
    fn one_length_is_every_percentile_and_none_is_zero() {
        assert_eq!(Lengths::of([7]), Lengths { min: 7, p25: 7, median: 7, p75: 7, p95: 7, p99: 7, max: 7, mean: 7.0 });
        assert_eq!(Lengths::of([]), Lengths::default());
    }
}
