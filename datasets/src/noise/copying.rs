//! Sentinel copying: the text-to-text form of tagging, with the words themselves as tags.

use super::options::NoiseOptions;
use crate::encode::{Beginning, Pair, interleave};
use crate::error::Result;
use crate::sample::Rng;
use crate::tokenizer::WordEncoder;

/// How sentinel copying changes a sentence.
#[derive(Debug, Clone, Copy)]
pub struct CopyOptions<'a> {
    /// The words that replace words of the sentence, such as the tags of the tasks. With tags among them, pretraining
    /// trains the embeddings of the tags as outputs, which a frozen backbone cannot learn later. If the list is empty, no
    /// word is replaced.
    pub replacements: &'a [String],
    /// The shares of replaced words and of partial sentences, and the maximal lengths.
    pub noise: &'a NoiseOptions,
}

/// `<extra_id_0> w0 <extra_id_1> w1 … <extra_id_n> </s>` as both source and target.
///
/// Each word is replaced with probability [`NoiseOptions::word_noise`], the same in source and target.
///
/// # Errors
/// If the tokenizer fails.
pub fn copy_words(
    encoder: &mut WordEncoder<'_>,
    words: &[&str],
    options: CopyOptions<'_>,
    rng: &mut Rng,
) -> Result<Pair> {
    let CopyOptions { replacements, noise } = options;
    let (first_sentinel, words) = part(words, noise, rng);
    let noisy: Vec<&str> = words.iter().map(|word| replaced(word, replacements, noise.word_noise, rng)).collect();
    let beginning = Beginning { prefix: &[], first_sentinel };
    let source = interleave(encoder, beginning, &noisy, noise.max_source_length)?;
    let target = interleave(encoder, beginning, &noisy, noise.max_target_length)?;
    Ok(Pair::new(source, target))
}

/// The words to copy and the index of the first: the whole sentence, or a random range of a random length.
fn part<'w, 's>(words: &'w [&'s str], noise: &NoiseOptions, rng: &mut Rng) -> (usize, &'w [&'s str]) {
    if words.is_empty() || rng.unit() >= noise.copy_stretch {
        return (0, words);
    }
    let length = 1 + rng.below(words.len());
    let first = rng.below(words.len() - length + 1);
    (first, words.get(first..first + length).unwrap_or(words))
}

fn replaced<'w>(word: &'w str, replacements: &'w [String], share: f64, rng: &mut Rng) -> &'w str {
    if rng.unit() >= share {
        return word;
    }
    replacements.get(rng.below(replacements.len())).map_or(word, String::as_str)
}
