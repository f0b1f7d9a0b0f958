//! Training a vocabulary with T5's layout.
//!
//! The same text gives the same bytes, on every machine and in every process. The trainer of `tokenizers` sums in the
//! order of its hash maps and threads. It therefore gets sorted words and one thread, and its result is sorted.

use std::collections::{BTreeMap, BTreeSet};

use smart_default::SmartDefault;
use tokenizers::Tokenizer;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::normalizers::{NFKC, Nmt};

use super::conventions::{EOS, PAD, Piece, SENTINELS, UNK, assemble, foreign, sentinel_pieces};
use super::keep::add_kept_words;
use super::pieces::{model_words, rounded};
use super::t5::T5Tokenizer;
use crate::error::{Error, Result};

/// `<pad>`, `</s>`, `<unk>`.
const SPECIAL: [&str; 3] = [PAD, EOS, UNK];
/// Longer words are left out. They are addresses or encoded data, and a vocabulary learns nothing from them.
const MAX_WORD_CHARS: usize = 256;

/// Options of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault)]
pub struct TrainOptions {
    /// The number of ids, including special tokens, sentinels and kept words. The vocabulary is smaller if the text has
    /// fewer pieces. Default 4096.
    #[default(4096)]
    pub vocab_size: usize,
    /// Words that must be one token each, for example the tags of the tasks. Default none.
    pub keep_words: Vec<String>,
}

/// Trains a Unigram vocabulary (Kudo 2018, <https://arxiv.org/abs/1804.10959>) on lines of text.
///
/// The layout is T5's: `<pad>` is 0, `</s>` 1, `<unk>` 2. Then come the pieces by falling probability, and last the
/// sentinels, with `<extra_id_0>` as the highest id. Text is normalized by `Nmt` and `NFKC` (sentencepiece's
/// `nmt_nfkc`). Words of more than 256 characters are left out.
///
/// # Errors
/// If there is no text, if `vocab_size` is too small for its characters (the message gives the smallest possible
/// size), or if a kept word is not one word.
///
/// ```
/// use datasets::tokenizer::{TrainOptions, train_unigram};
///
/// let options = TrainOptions { vocab_size: 140, keep_words: vec!["ACTOR".to_owned()] };
/// let tokenizer = train_unigram(["a film with an old actor", "an actor in a film"], &options)?;
/// assert_eq!(tokenizer.encode_words(&["ACTOR"])?[0].len(), 1);
/// # Ok::<(), datasets::Error>(())
/// ```
pub fn train_unigram<L: AsRef<str>>(lines: impl IntoIterator<Item = L>, options: &TrainOptions) -> Result<T5Tokenizer> {
    let blank = tokenizer_of(Vec::new())?;
    let words = count_words(lines, &blank)?;
    let reserved = SPECIAL.len() + SENTINELS + options.keep_words.len();
    let alphabet: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();
    let room = options.vocab_size.saturating_sub(reserved);
    if alphabet.is_empty() {
        return Err(Error::Tokenizer("no text to train a vocabulary on".to_owned()));
    }
    // One piece more than the characters, because the trainer's own check of the limit is off by one.
    if room <= alphabet.len() {
        let needed = reserved + alphabet.len() + 1;
        return Err(Error::Invalid(format!(
            "vocab_size {} is too small for this text; use {needed} or more",
            options.vocab_size
        )));
    }
    let trained = settled(expectation_maximization(words, room)?);
    let pieces = add_kept_words(trained, &options.keep_words, &blank)?;
    let trained = T5Tokenizer::new(tokenizer_of(pieces)?)?;
    check_kept_words(&trained, &options.keep_words)?;
    Ok(trained)
}

/// The tokenizer with the given pieces and T5's special tokens.
fn tokenizer_of(pieces: Vec<Piece>) -> Result<Tokenizer> {
    let special = SPECIAL.map(|text| (text.to_owned(), 0.0));
    let vocabulary = special.into_iter().chain(pieces).chain(sentinel_pieces()).collect();
    let model = Unigram::from(vocabulary, Some(2), false).map_err(foreign)?;
    assemble(model, vec![Nmt.into(), NFKC.into()])
}

/// Counts the words of the text as the model reads them.
fn count_words<L: AsRef<str>>(
    lines: impl IntoIterator<Item = L>,
    tokenizer: &Tokenizer,
) -> Result<BTreeMap<String, u32>> {
    let mut raw: BTreeMap<String, u32> = BTreeMap::new();
    for line in lines {
        for word in line.as_ref().split_whitespace() {
            match raw.get_mut(word) {
                Some(count) => *count = count.saturating_add(1),
                None => _ = raw.insert(word.to_owned(), 1),
            }
        }
    }
    let mut words: BTreeMap<String, u32> = BTreeMap::new();
    for (word, count) in raw {
        // The trainer uses a zero character to separate words.
        for piece in model_words(&word, tokenizer)?.into_iter().filter(|piece| !piece.contains('\0')) {
            if piece.chars().count() <= MAX_WORD_CHARS {
                let total = words.entry(piece).or_default();
                *total = total.saturating_add(count);
            }
        }
    }
    Ok(words)
}

/// Runs the trainer on sorted words and one thread, so that all sums have a fixed order.
fn expectation_maximization(words: BTreeMap<String, u32>, size: usize) -> Result<Vec<Piece>> {
    let size = u32::try_from(size).map_err(foreign)?;
    let trainer = UnigramTrainer::builder().show_progress(false).vocab_size(size).build().map_err(foreign)?;
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(foreign)?;
    let mut model = Unigram::default();
    one_thread.install(|| trainer.do_train(words.into_iter().collect(), &mut model)).map_err(foreign)?;
    Ok(model.iter().cloned().collect())
}

/// The pieces of the trainer without reserved texts and without random scores.
fn settled(pieces: Vec<Piece>) -> Vec<Piece> {
    let is_reserved = |text: &str| SPECIAL.contains(&text) || sentinel_pieces().any(|(sentinel, _)| sentinel == text);
    let mut pieces: Vec<Piece> = pieces.into_iter().filter(|(text, _)| !is_reserved(text)).collect();
    level_rare_characters(&mut pieces);
    for (_, score) in &mut pieces {
        *score = rounded(*score);
    }
    pieces
}

/// Gives the lowest score to characters that training dropped. The trainer adds them again with the lowest score plus
/// 0.0001 times their position in a hash set, which is random.
fn level_rare_characters(pieces: &mut [Piece]) {
    let is_character = |text: &str| text.chars().nth(1).is_none();
    let characters: f64 = pieces.iter().filter(|(text, _)| is_character(text)).map(|_| 1.0).sum();
    let lowest = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    for (text, score) in pieces {
        if is_character(text) && *score <= lowest + 1e-4 * characters {
            *score = lowest;
        }
    }
}

fn check_kept_words(tokenizer: &T5Tokenizer, words: &[String]) -> Result<()> {
    for (word, ids) in words.iter().zip(tokenizer.encode_words(words)?) {
        if ids.len() != 1 {
            return Err(Error::Tokenizer(format!("cannot keep {word:?}: it became {} tokens", ids.len())));
        }
    }
    Ok(())
}
