//! Sentencepiece's model file (`sentencepiece_model.proto`) as a T5 tokenizer.

use tokenizers::Tokenizer;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;

use super::charsmap;
use super::layout::{EOS, PAD, Piece, UNK, assemble, foreign, sentinel_pieces};
use super::protobuf::fields;
use crate::error::{Error, Result};

/// `ModelProto.SentencePiece.Type.UNKNOWN`.
const UNKNOWN_PIECE: u64 = 2;
/// `TrainerSpec.ModelType.UNIGRAM`.
const UNIGRAM: u64 = 1;

/// What a tokenizer needs of a `ModelProto`.
pub(super) struct SentencePiece {
    pieces: Vec<Piece>,
    unk: usize,
    charsmap: Vec<u8>,
}

/// Reads a `ModelProto`: pieces (field 1), trainer spec (2), normalizer spec (3).
pub(super) fn parse(model: &[u8]) -> Result<SentencePiece> {
    let mut pieces = Vec::new();
    let mut unk = None;
    let mut charsmap = Vec::new();
    for field in fields(model) {
        let field = field?;
        match field.number {
            1 => {
                let (piece, kind) = parse_piece(field.value.bytes()?, pieces.len())?;
                if kind == UNKNOWN_PIECE {
                    unk = Some(pieces.len());
                }
                pieces.push(piece);
            }
            2 => check_trainer(field.value.bytes()?)?,
            3 => charsmap = parse_normalizer(field.value.bytes()?)?.to_vec(),
            _ => {}
        }
    }
    let unk = unk.ok_or_else(|| Error::Tokenizer(format!("no piece of the type of `{UNK}`")))?;
    Ok(SentencePiece { pieces, unk, charsmap })
}

impl SentencePiece {
    /// Appends the sentinels and builds the tokenizer.
    pub(super) fn into_tokenizer(self) -> Result<Tokenizer> {
        for special in [PAD, EOS, UNK] {
            if !self.pieces.iter().any(|(text, _)| text == special) {
                return Err(Error::Tokenizer(format!("the vocabulary lacks `{special}`")));
            }
        }
        let mut vocabulary = self.pieces;
        vocabulary.extend(sentinel_pieces());
        let model = Unigram::from(vocabulary, Some(self.unk), false).map_err(foreign)?;
        let mut rewrite = Vec::new();
        if !self.charsmap.is_empty() {
            charsmap::check(&self.charsmap)?;
            rewrite.push(Precompiled::from(&self.charsmap).map_err(foreign)?.into());
        }
        assemble(model, rewrite)
    }
}

/// A `SentencePiece` message: piece (1), score (2), type (3, default NORMAL = 1).
fn parse_piece(message: &[u8], index: usize) -> Result<(Piece, u64)> {
    let bad = |reason: &str| Error::Tokenizer(format!("piece {index}: {reason}"));
    let (mut text, mut score, mut kind) = ("", 0.0, 1);
    for field in fields(message) {
        let field = field?;
        match field.number {
            1 => text = std::str::from_utf8(field.value.bytes()?).map_err(|_| bad("not UTF-8"))?,
            2 => score = field.value.float()?,
            3 => kind = field.value.integer()?,
            _ => {}
        }
    }
    if text.is_empty() {
        return Err(bad("empty"));
    }
    if !score.is_finite() {
        return Err(bad("its score is not a finite number"));
    }
    Ok(((text.to_owned(), f64::from(score)), kind))
}

/// A `TrainerSpec` message: the model type (3, default UNIGRAM) must be Unigram.
fn check_trainer(message: &[u8]) -> Result<()> {
    for field in fields(message) {
        let field = field?;
        if field.number == 3 && field.value.integer()? != UNIGRAM {
            return Err(Error::Tokenizer("T5 needs a unigram model, the file holds another type".to_owned()));
        }
    }
    Ok(())
}

/// A `NormalizerSpec` message: the precompiled charsmap (2). The flags (3: dummy prefix,
/// 4: remove extra spaces, 5: visible spaces; default on) must be as T5 has them.
fn parse_normalizer(message: &[u8]) -> Result<&[u8]> {
    let mut charsmap: &[u8] = &[];
    for field in fields(message) {
        let field = field?;
        match field.number {
            2 => charsmap = field.value.bytes()?,
            flag @ 3..=5 if field.value.integer()? == 0 => {
                let reason = format!("normalizer flag {flag} is off; T5 tokenizers have flags 3 to 5 on");
                return Err(Error::Tokenizer(reason));
            }
            _ => {}
        }
    }
    Ok(charsmap)
}
