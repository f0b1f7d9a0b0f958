//! The largest of many scores.

use candle_core::Tensor;
use peft_kernels::transfer;

use crate::error::{Error, Result};

/// Numbers up to this are exact in `f32`.
const MOST_WORDS: usize = 1 << 24;

/// The `n` words of each row of `scores [rows, V]` with the largest ones, largest first, found on the device: `2 n` numbers a row are read
/// back, in one transfer. `scores` are overwritten.
///
/// # Errors
/// [`Error::Config`] if the vocabulary is larger than numbers of `f32` can say.
pub(super) fn best_words(scores: &Tensor, n: usize) -> Result<Vec<Vec<(u32, f32)>>> {
    let (rows, vocab) = scores.dims2()?;
    if vocab > MOST_WORDS {
        return Err(Error::Config(format!("beam search on a device takes {MOST_WORDS} words at most, not {vocab}")));
    }
    let scores = scores.contiguous()?;
    // candle sorts no row of a vocabulary's size on a GPU.
    let out = Tensor::full(f32::NEG_INFINITY, (rows, 1), scores.device())?.to_dtype(scores.dtype())?;
    let (mut words, mut best) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for _ in 0..n {
        let word = scores.argmax_keepdim(1)?;
        best.push(scores.gather(&word, 1)?);
        scores.scatter_set(&word, &out, 1)?;
        words.push(word.to_dtype(scores.dtype())?);
    }
    words.extend(best);
    let found: Vec<Vec<f32>> = transfer::download_rows(&Tensor::cat(&words, 1)?)?;
    let row = |found: Vec<f32>| {
        let (words, best) = found.split_at_checked(n).unwrap_or_default();
        words.iter().zip(best).map(|(word, score)| (*word as u32, *score)).collect()
    };
    Ok(found.into_iter().map(row).collect())
}

/// The `n` largest of `scores` with their places, largest first; of equal ones the earlier place comes first.
pub(super) fn top(scores: impl Iterator<Item = f32>, n: usize) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(n + 1);
    for (place, score) in scores.enumerate() {
        let full = best.len() == n;
        if full && best.last().is_none_or(|(_, worst)| score <= *worst) {
            continue;
        }
        let at = best.partition_point(|(_, other)| *other >= score);
        best.insert(at, (place, score));
        best.truncate(n);
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_stable_sort_cut_short(scores in prop::collection::vec(-3i8..3, 0..40), n in 0usize..9) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut sorted: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            sorted.truncate(n);
            prop_assert_eq!(top(scores.into_iter(), n), sorted);
        }
    }

    #[test]
    fn the_best_words_of_each_row_are_found_largest_first() {
        let scores = Tensor::new(&[[0.5f32, -1., 3., 2.], [-7., -5., -6., -9.]], &Device::Cpu).unwrap();
        let found = best_words(&scores, 3).unwrap();
        assert_eq!(found[0], [(2, 3.), (3, 2.), (0, 0.5)]);
        assert_eq!(found[1], [(1, -5.), (2, -6.), (0, -7.)]);
    }
}
