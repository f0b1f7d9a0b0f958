//! Words that must be one token each.

use std::collections::HashMap;

use tokenizers::Tokenizer;
use tokenizers::models::unigram::Unigram;

use super::layout::{Piece, UNK, foreign};
use super::train::{in_order, model_words, rounded};
use crate::error::{Error, Result};

/// By how much, per character, the whole word beats its best spelling. Per character, so that of
/// two kept words of which one begins the other, each wins as itself.
const MARGIN: f64 = 1e-4;
/// `tokenizers`' (and sentencepiece's) penalty of an unknown character below the lowest score.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Adds each word as a piece, scored a hair above its best spelling in the other pieces.
///
/// A higher score would pull the word out of longer ones (a kept `O` would split `Oslo`); this one
/// changes a text only where a kept word was spelled out already, or had unknown characters.
pub(super) fn add_kept_words(mut pieces: Vec<Piece>, words: &[String], tokenizer: &Tokenizer) -> Result<Vec<Piece>> {
    let spelling = Spelling::new(&pieces)?;
    let kept = words.iter().map(|word| spelling.kept_piece(word, tokenizer)).collect::<Result<HashMap<_, _>>>()?;
    pieces.retain(|(text, _)| !kept.contains_key(text));
    pieces.extend(kept);
    Ok(in_order(pieces))
}

/// The trained pieces, to score other words with.
struct Spelling<'a> {
    model: Unigram,
    scores: HashMap<&'a str, f64>,
}

impl<'a> Spelling<'a> {
    fn new(pieces: &'a [Piece]) -> Result<Self> {
        let unknown = std::iter::once((UNK.to_owned(), 0.0));
        let vocabulary = unknown.chain(pieces.iter().cloned()).collect();
        let model = Unigram::from(vocabulary, Some(0), false).map_err(foreign)?;
        let scores = pieces.iter().map(|(text, score)| (text.as_str(), *score)).collect();
        Ok(Self { model, scores })
    }

    /// `word` as the piece the model will see, with the score that lets it win.
    fn kept_piece(&self, word: &str, tokenizer: &Tokenizer) -> Result<Piece> {
        let [piece] = <[String; 1]>::try_from(model_words(word, tokenizer)?)
            .map_err(|parts| Error::Tokenizer(format!("cannot keep {word:?}: it is {} words, not one", parts.len())))?;
        let score = self.best(&piece)? + MARGIN * piece.chars().count() as f64;
        Ok((piece, rounded(score)))
    }

    /// Log probability of the best segmentation; runs of unknown characters come back as one string.
    fn best(&self, word: &str) -> Result<f64> {
        let unknown = self.model.min_score - UNKNOWN_PENALTY;
        let pieces = self.model.encode(word).map_err(foreign)?;
        let score = |piece: &String| match self.scores.get(piece.as_str()) {
            Some(score) => *score,
            None => unknown * piece.chars().count() as f64,
        };
        Ok(pieces.iter().map(score).sum())
    }
}
