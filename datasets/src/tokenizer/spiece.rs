//! Sentencepiece's model file (`sentencepiece_model.proto`) as a T5 tokenizer.

use prost::Message;
use tokenizers::Tokenizer;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;

use super::charsmap;
use super::conventions::{EOS, PAD, Piece, UNK, assemble, foreign, sentinel_pieces};
use crate::error::{Error, Result};

/// `ModelProto.SentencePiece.Type.UNKNOWN`.
const UNKNOWN_PIECE: i32 = 2;
/// `TrainerSpec.ModelType.UNIGRAM`.
const UNIGRAM: i32 = 1;

/// The fields of a sentencepiece model that a tokenizer needs.
#[derive(Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<SentencePiece>,
    #[prost(message, optional, tag = "2")]
    trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer_spec: Option<NormalizerSpec>,
}

#[derive(Message)]
struct SentencePiece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Message)]
struct TrainerSpec {
    /// Absent: Unigram.
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
}

/// A flag that is absent is on.
#[derive(Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    escape_whitespaces: Option<bool>,
}

/// Reads the bytes of a model file, appends T5's sentinels and builds the tokenizer.
pub(super) fn tokenizer(model: &[u8]) -> Result<Tokenizer> {
    let model = ModelProto::decode(model).map_err(|e| Error::Tokenizer(format!("malformed protocol buffer: {e}")))?;
    if model.trainer_spec.and_then(|trainer| trainer.model_type).is_some_and(|kind| kind != UNIGRAM) {
        return Err(Error::Tokenizer("T5 needs a unigram model, the file holds another type".to_owned()));
    }
    let rewrite = match charsmap_of(model.normalizer_spec.unwrap_or_default())? {
        charsmap if charsmap.is_empty() => Vec::new(),
        charsmap => {
            charsmap::check(&charsmap)?;
            vec![Precompiled::from(&charsmap).map_err(foreign)?.into()]
        }
    };
    let unk = model.pieces.iter().rposition(|piece| piece.kind == Some(UNKNOWN_PIECE));
    let pieces = model.pieces.into_iter().enumerate().map(|(index, piece)| checked(index, piece));
    let mut vocabulary = pieces.collect::<Result<Vec<Piece>>>()?;
    let unk = unk.ok_or_else(|| Error::Tokenizer(format!("no piece of the type of `{UNK}`")))?;
    for special in [PAD, EOS, UNK] {
        if !vocabulary.iter().any(|(text, _)| text == special) {
            return Err(Error::Tokenizer(format!("the vocabulary lacks `{special}`")));
        }
    }
    vocabulary.extend(sentinel_pieces());
    assemble(Unigram::from(vocabulary, Some(unk), false).map_err(foreign)?, rewrite)
}

fn checked(index: usize, piece: SentencePiece) -> Result<Piece> {
    let bad = |reason: &str| Error::Tokenizer(format!("piece {index}: {reason}"));
    let text = piece.piece.filter(|text| !text.is_empty()).ok_or_else(|| bad("empty"))?;
    let score = piece.score.unwrap_or_default();
    if !score.is_finite() {
        return Err(bad("its score is not a finite number"));
    }
    Ok((text, f64::from(score)))
}

/// The precompiled character map. The three flags must be on, as T5 has them.
fn charsmap_of(spec: NormalizerSpec) -> Result<Vec<u8>> {
    let flags = [
        ("add_dummy_prefix", spec.add_dummy_prefix),
        ("remove_extra_whitespaces", spec.remove_extra_whitespaces),
        ("escape_whitespaces", spec.escape_whitespaces),
    ];
    if let Some((flag, _)) = flags.into_iter().find(|(_, value)| *value == Some(false)) {
        return Err(Error::Tokenizer(format!("the normalizer's flag `{flag}` is off; T5 tokenizers have it on")));
    }
    Ok(spec.precompiled_charsmap.unwrap_or_default())
}
