//! Words that must be one token each.

use std::collections::HashMap;

use tokenizers::Tokenizer;
use tokenizers::models::unigram::Unigram;

use super::conventions::{Piece, UNK, foreign};
use super::pieces::{in_order, model_words, rounded};
use crate::error::{Error, Result};

/// How much better the score of a kept word is than that of its best spelling in other pieces, per character. Because it
/// grows with the length, a kept word wins over a shorter kept word at its beginning.
const MARGIN: f64 = 1e-4;
/// `tokenizers` and sentencepiece score an unknown character this much below the lowest score.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Adds each word as a piece, with a score slightly above that of its best spelling in the other pieces.
///
/// A much higher score would split longer words (a kept `O` would split `Oslo`). This score changes a text only where it
/// was already split around a kept word, or had unknown characters.
pub(super) fn add_kept_words(mut pieces: Vec<Piece>, words: &[String], tokenizer: &Tokenizer) -> Result<Vec<Piece>> {
    let spelling = Spelling::new(&pieces)?;
    let kept = words.iter().map(|word| spelling.kept_piece(word, tokenizer)).collect::<Result<HashMap<_, _>>>()?;
    pieces.retain(|(text, _)| !kept.contains_key(text));
    pieces.extend(kept);
    Ok(in_order(pieces))
}

/// Scores words by the trained pieces.
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

    /// `word` as a piece of the model, with its score.
    fn kept_piece(&self, word: &str, tokenizer: &Tokenizer) -> Result<Piece> {
        let [piece] = <[String; 1]>::try_from(model_words(word, tokenizer)?)
            .map_err(|parts| Error::Tokenizer(format!("cannot keep {word:?}: it is {} words, not one", parts.len())))?;
        let score = self.best(&piece)? + MARGIN * piece.chars().count() as f64;
        Ok((piece, rounded(score)))
    }

    /// The log probability of the best segmentation. The model returns a run of unknown characters as one string.
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
