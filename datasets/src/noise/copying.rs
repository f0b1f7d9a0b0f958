//! Sentinel copying: the text-to-text form of tagging, with the words themselves as tags.

use super::NoiseOptions;
use crate::encode::{Pair, interleave_from};
use crate::error::Result;
use crate::sample::Rng;
use crate::tokenizer::WordEncoder;

/// `<extra_id_0> w0 <extra_id_1> w1 … <extra_id_n> </s>` as source and target both.
///
/// Each word is replaced, with probability [`NoiseOptions::word_noise`], by one of `others`, in source
/// and target alike: with tag names among `others` their embeddings are trained as outputs, which a
/// frozen backbone could not learn later. An empty `others` replaces nothing.
///
/// # Errors
/// If the tokenizer fails.
pub fn copy_words(
    encoder: &mut WordEncoder<'_>,
    words: &[&str],
    others: &[String],
    options: &NoiseOptions,
    rng: &mut Rng,
) -> Result<Pair> {
    let (first, words) = stretch(words, options, rng);
    let noisy: Vec<&str> = words.iter().map(|word| replaced(word, others, options.word_noise, rng)).collect();
    let source = interleave_from(encoder, &[], &noisy, first, options.max_source_length)?;
    let target = interleave_from(encoder, &[], &noisy, first, options.max_target_length)?;
    Ok(Pair::new(source, target))
}

/// The words to copy, and the number of the first: all of them, or a random stretch of a random length.
fn stretch<'w, 's>(words: &'w [&'s str], options: &NoiseOptions, rng: &mut Rng) -> (usize, &'w [&'s str]) {
    if words.is_empty() || rng.unit() >= options.copy_stretch {
        return (0, words);
    }
    let length = 1 + rng.below(words.len());
    let first = rng.below(words.len() - length + 1);
    (first, words.get(first..first + length).unwrap_or(words))
}

fn replaced<'w>(word: &'w str, others: &'w [String], share: f64, rng: &mut Rng) -> &'w str {
    if rng.unit() >= share {
        return word;
    }
    others.get(rng.below(others.len())).map_or(word, String::as_str)
}
