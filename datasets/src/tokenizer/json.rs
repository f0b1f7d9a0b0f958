//! The parts of a `tokenizer.json` that T5 uses, checked before `tokenizers` reads them.
//!
//! `tokenizers` panics if the text ends inside of its decoder, or if a character map is malformed. It believes every map that has the
//! right size.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::Tokenizer;
use tokenizers::normalizers::Precompiled;

use super::charsmap;
use super::conventions::foreign;
use crate::error::{Error, Result};

/// The keys that are read. T5's conventions replace what the others hold.
const KEYS: [&str; 4] = ["version", "added_tokens", NORMALIZER, MODEL];
const MODEL: &str = "model";
const NORMALIZER: &str = "normalizer";
/// The key of sentencepiece's character map, in base64.
const CHARSMAP: &str = "precompiled_charsmap";

/// Reads the bytes of a `tokenizer.json`.
pub(super) fn tokenizer(json: &[u8]) -> Result<Tokenizer> {
    let text = std::str::from_utf8(json).map_err(foreign)?;
    let mut parts: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(foreign)?;
    if !parts.contains_key(MODEL) {
        return Err(Error::Tokenizer(format!(
            "no key `{MODEL}`; expected a tokenizer.json of Hugging Face tokenizers"
        )));
    }
    parts.retain(|key, _| KEYS.contains(&key.as_str()));
    let normalizer = match parts.get(NORMALIZER) {
        Some(normalizer) => serde_json::from_str(normalizer.get()).map_err(foreign)?,
        None => Value::Null,
    };
    check(&normalizer)?;
    // Written again, so that what is read is what was checked, also if a key was there twice.
    let normalizer = serde_json::value::to_raw_value(&normalizer).map_err(foreign)?;
    parts.insert(NORMALIZER.to_owned(), &normalizer);
    Tokenizer::from_bytes(serde_json::to_vec(&parts).map_err(foreign)?).map_err(foreign)
}

/// Checks all character maps in `value`.
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
            fields.values().try_for_each(check)
        }
        _ => Ok(()),
    }
}
