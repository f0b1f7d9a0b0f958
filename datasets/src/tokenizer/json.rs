//! The parts of a `tokenizer.json` that T5 uses, checked before `tokenizers` sees them.
//!
//! `tokenizers` panics if a character map is malformed; and while it reads text, if the normalizer leaves nothing of an added token or
//! replaces matches of no length. It believes every character map that has the right size, and only warns where the id of an added token
//! is another than the file's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::{AddedToken, NormalizedString, Normalizer, NormalizerWrapper, Tokenizer};

use super::charsmap;
use super::conventions::{Piece, foreign, stripped};
use crate::error::{Error, Result};

/// The version of the format.
const VERSION: &str = "1.0";
/// The type of model that T5 has.
const UNIGRAM: &str = "Unigram";
/// The key of sentencepiece's character map, in base64.
const CHARSMAP: &str = "precompiled_charsmap";
/// The key of what a `Replace` looks for: an object with a `Regex` or a `String`.
const PATTERN: &str = "pattern";

/// The keys that are read. T5's conventions replace what the others hold.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    unk_id: Option<usize>,
    vocab: Vec<Piece>,
    #[serde(default)]
    byte_fallback: bool,
}

/// A token that is found in the text before the model splits it.
#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

/// Reads the bytes of a `tokenizer.json`. The normalizer also strips trailing spaces, as T5 does.
pub(super) fn tokenizer(json: &[u8]) -> Result<Tokenizer> {
    let file: File = serde_json::from_slice(json).map_err(|error| reason(json, &error))?;
    if let Some(version) = file.version.filter(|version| version != VERSION) {
        return Err(Error::Tokenizer(format!(
            "version {version:?} of the format is unknown; this program reads {VERSION:?}"
        )));
    }
    check(&file.normalizer)?;
    let normalizer: Option<NormalizerWrapper> = serde_json::from_value(file.normalizer).map_err(foreign)?;
    let normalizer = stripped(normalizer);
    let model = Unigram::from(file.model.vocab, file.model.unk_id, file.model.byte_fallback).map_err(foreign)?;
    let ids: Vec<(u32, String)> = file.added_tokens.iter().map(|token| (token.id, token.content.clone())).collect();
    let added = file.added_tokens.into_iter().map(|token| token.read(&normalizer)).collect::<Result<Vec<_>>>()?;

    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer)).map_err(foreign)?;
    tokenizer.add_tokens(added).map_err(foreign)?;
    for (id, content) in ids {
        if tokenizer.token_to_id(&content) != Some(id) {
            let found = tokenizer.token_to_id(&content).map_or("none".to_owned(), |id| id.to_string());
            return Err(Error::Tokenizer(format!(
                "the added token {content:?} has id {id}, but its place in the vocabulary gives {found}"
            )));
        }
    }
    Ok(tokenizer)
}

impl Added {
    fn read(self, normalizer: &NormalizerWrapper) -> Result<AddedToken> {
        let token = AddedToken::from(self.content, self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip);
        // Normalized text can never hold a token of which nothing is left, such as a line end: it is found as it was written.
        let left = if self.normalized { normal_form(&token.content, normalizer)? } else { String::new() };
        Ok(token.normalized(!left.is_empty()))
    }
}

fn normal_form(text: &str, normalizer: &NormalizerWrapper) -> Result<String> {
    let mut text = NormalizedString::from(text);
    normalizer.normalize(&mut text).map_err(foreign)?;
    Ok(text.get().to_owned())
}

/// Why `json` could not be read: another type of model first, because its vocabulary has another form too.
fn reason(json: &[u8], error: &serde_json::Error) -> Error {
    #[derive(Deserialize)]
    struct Typed {
        model: Option<Kind>,
    }
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    match serde_json::from_slice::<Typed>(json) {
        Ok(Typed { model: Some(model) }) if model.kind != UNIGRAM => {
            Error::Tokenizer(format!("T5 needs a `{UNIGRAM}` model, the file has the type {:?}", model.kind))
        }
        Ok(Typed { model: None }) => {
            Error::Tokenizer("no key `model`; expected a tokenizer.json of Hugging Face tokenizers".to_owned())
        }
        _ => foreign(error),
    }
}

/// Checks all character maps and patterns in `value`.
fn check(value: &Value) -> Result<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(fields) => {
            if let Some(map) = fields.get(CHARSMAP) {
                let bytes = map.as_str().and_then(|text| STANDARD.decode(text).ok());
                let bytes = bytes.ok_or_else(|| Error::Tokenizer(format!("`{CHARSMAP}` is not base64")))?;
                charsmap::check(&bytes)?;
                Precompiled::from(&bytes).map_err(foreign)?;
            }
            if let Some(Value::Object(pattern)) = fields.get(PATTERN) {
                pattern.iter().filter_map(|(kind, text)| Some((kind, text.as_str()?))).try_for_each(check_pattern)?;
            }
            fields.values().try_for_each(check)
        }
        _ => Ok(()),
    }
}

/// Checks that every match of a pattern has a character.
fn check_pattern((kind, text): (&String, &str)) -> Result<()> {
    let shortest = match kind.as_str() {
        "Regex" => regex_syntax::parse(text).map_err(foreign)?.properties().minimum_len(),
        _ => Some(text.len()),
    };
    match shortest {
        Some(0) => Err(Error::Tokenizer(format!(
            "the normalizer replaces {text:?}, which also matches where no character is; use a pattern that matches one or more"
        ))),
        _ => Ok(()),
    }
}
