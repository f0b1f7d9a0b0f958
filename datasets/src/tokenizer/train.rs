//! Training a vocabulary of one's own, laid out like T5's.
//!
//! The same text gives the same bytes, on any machine and in any process: `tokenizers`' trainer
//! sums in the order of its hash maps and threads, so it is handed sorted words on one thread, and
//! its result is put in order.

use std::collections::{BTreeMap, BTreeSet};

use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::normalizers::{NFKC, Nmt};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    Tokenizer,
};

use super::T5Tokenizer;
use super::keep::add_kept_words;
use super::layout::{EOS, PAD, Piece, SENTINELS, UNK, assemble, foreign, sentinel_pieces};
use crate::error::{Error, Result};

/// `<pad>`, `</s>`, `<unk>`.
const SPECIAL: [&str; 3] = [PAD, EOS, UNK];
/// Words longer than this (addresses, encoded data) teach a vocabulary nothing; they are left out.
const MAX_WORD_CHARS: usize = 256;
/// Log probabilities are kept to six decimals, so that JSON gives back the same number.
const SCORE_STEPS: f64 = 1e6;

/// What vocabulary to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOptions {
    /// Number of ids with special tokens, sentinels and kept words; fewer if the text has not so
    /// many pieces. Default 4096.
    pub vocab_size: usize,
    /// Words that must be one token each when they stand as a word, for example the tags of the
    /// tasks. Default none.
    pub keep_words: Vec<String>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self { vocab_size: 4096, keep_words: Vec::new() }
    }
}

/// Trains a Unigram vocabulary (Kudo 2018, <https://arxiv.org/abs/1804.10959>) on lines of text.
///
/// Layout as in T5: `<pad>` 0, `</s>` 1, `<unk>` 2, the pieces by falling probability, the
/// sentinels last with `<extra_id_0>` the highest id. Text is normalized by `Nmt` and `NFKC`
/// (sentencepiece's `nmt_nfkc`). Words of more than 256 characters are left out.
///
/// # Errors
/// If there is no text, `vocab_size` is too small for its characters (the message says what is
/// needed), or a kept word is not one word.
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
    // One piece beyond the characters: the trainer's own limit check is off by one.
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

/// The tokenizer with these pieces between T5's special tokens.
fn tokenizer_of(pieces: Vec<Piece>) -> Result<Tokenizer> {
    let special = SPECIAL.map(|text| (text.to_owned(), 0.0));
    let vocabulary = special.into_iter().chain(pieces).chain(sentinel_pieces()).collect();
    let model = Unigram::from(vocabulary, Some(2), false).map_err(foreign)?;
    assemble(model, vec![Nmt.into(), NFKC.into()])
}

/// Counts the words of the text in the form in which the model sees them.
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
        // The trainer separates words by a zero character of its own.
        for piece in model_words(&word, tokenizer)?.into_iter().filter(|piece| !piece.contains('\0')) {
            if piece.chars().count() <= MAX_WORD_CHARS {
                let total = words.entry(piece).or_default();
                *total = total.saturating_add(count);
            }
        }
    }
    Ok(words)
}

/// A text as the model sees it: normalized, split into words that start with `▁`.
pub(super) fn model_words(text: &str, tokenizer: &Tokenizer) -> Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        NormalizerWrapper::normalize(normalizer, &mut normalized).map_err(foreign)?;
    }
    let mut split = PreTokenizedString::from(normalized);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        PreTokenizerWrapper::pre_tokenize(pre_tokenizer, &mut split).map_err(foreign)?;
    }
    let splits = split.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    Ok(splits.into_iter().map(|(word, _, _)| word.to_owned()).filter(|word| !word.is_empty()).collect())
}

/// Runs the trainer on sorted words and one thread, so that every sum has one order.
fn expectation_maximization(words: BTreeMap<String, u32>, size: usize) -> Result<Vec<Piece>> {
    let size = u32::try_from(size).map_err(foreign)?;
    let trainer = UnigramTrainer::builder().show_progress(false).vocab_size(size).build().map_err(foreign)?;
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(foreign)?;
    let mut model = Unigram::default();
    one_thread.install(|| trainer.do_train(words.into_iter().collect(), &mut model)).map_err(foreign)?;
    Ok(model.iter().cloned().collect())
}

/// The trainer's pieces without what it left to chance and without reserved texts.
fn settled(pieces: Vec<Piece>) -> Vec<Piece> {
    let is_reserved = |text: &str| SPECIAL.contains(&text) || sentinel_pieces().any(|(sentinel, _)| sentinel == text);
    let mut pieces: Vec<Piece> = pieces.into_iter().filter(|(text, _)| !is_reserved(text)).collect();
    level_rare_characters(&mut pieces);
    for (_, score) in &mut pieces {
        *score = rounded(*score);
    }
    pieces
}

/// The score as it is written to JSON.
pub(super) fn rounded(score: f64) -> f64 {
    (score * SCORE_STEPS).round() / SCORE_STEPS
}

/// Pieces by falling score, then by text.
pub(super) fn in_order(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pieces
}

/// Characters that training dropped come back at the lowest score plus 0.0001 times their place in
/// a hash set: a place of chance. All of them get the lowest score.
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
