//! Pieces of a vocabulary in training: splitting text as the model does, rounding scores, sorting.

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    Tokenizer,
};

use super::conventions::{Piece, foreign};
use crate::error::Result;

/// Log probabilities are rounded to six decimals, so that JSON gives back the same number.
const SCORE_STEPS: f64 = 1e6;

/// The words of a text as the model reads them: normalized, and each with `▁` at its start.
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

/// The score that is written to JSON.
pub(super) fn rounded(score: f64) -> f64 {
    (score * SCORE_STEPS).round() / SCORE_STEPS
}

/// The pieces, sorted by falling score and then by text.
pub(super) fn in_order(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pieces
}
