//! Loading a tokenizer from `tokenizer.json`, from `spiece.model`, or from a folder with one of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use super::conventions::follow_conventions;
use super::json;
use super::spiece;
use super::t5::T5Tokenizer;
use crate::error::{Error, Result};

const JSON: &str = "tokenizer.json";
const SPIECE: &str = "spiece.model";

impl T5Tokenizer {
    /// Loads from a folder ([`Self::from_folder`]) or a file ([`Self::from_file`]).
    ///
    /// # Errors
    /// As those two.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() { Self::from_folder(path) } else { Self::from_file(path) }
    }

    /// Loads `tokenizer.json` from a model folder, or `spiece.model` if the folder has no `tokenizer.json`.
    ///
    /// # Errors
    /// If the folder has neither file, or the file is malformed.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let found = [JSON, SPIECE].map(|name| folder.join(name)).into_iter().find(|file| file.is_file());
        let file = found.ok_or_else(|| Error::BadFile {
            path: folder.to_owned(),
            reason: format!("no tokenizer in this folder; put `{JSON}` or `{SPIECE}` there"),
        })?;
        Self::from_file(file)
    }

    /// Loads a `.json` file of Hugging Face `tokenizers` or a `.model` file of sentencepiece.
    ///
    /// Both kinds of file give the same tokenizer, which behaves as T5's own. The settings of a `tokenizer.json` that
    /// differ from T5's (`prepend_scheme`, padding, truncation) are replaced.
    ///
    /// # Errors
    /// If the file cannot be read, is malformed, is not a Unigram model, gives an added token another id than its own, or lacks
    /// `<pad>`, `</s>`, `<unk>` or the sentinels.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = peft_files::read_listed(path)?;
        peft_files::check_contents(path, &bytes)?;
        if bytes.is_empty() {
            return Err(Error::file(path, "the file is empty; fetch or copy it again"));
        }
        let read = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {
                let text = peft_files::text_of(path, bytes)?;
                let read = Self::from_json(text.as_bytes());
                if read.is_err() {
                    // An error about the text itself has its line.
                    peft_files::parse_json::<BTreeMap<String, IgnoredAny>>(path, &text)?;
                }
                read
            }
            Some("model") => Self::from_spiece(&bytes),
            _ => Err(Error::Tokenizer(format!("a tokenizer file is a `{JSON}` or a `{SPIECE}`"))),
        };
        read.map_err(|error| Error::BadFile { path: path.to_owned(), reason: error.to_string() })
    }

    /// Reads the bytes of a `tokenizer.json`; see [`Self::from_file`].
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let mut tokenizer = json::tokenizer(json)?;
        follow_conventions(&mut tokenizer)?;
        Self::new(tokenizer)
    }

    /// Reads the bytes of a sentencepiece `spiece.model`; see [`Self::from_file`].
    ///
    /// Such a file has no sentinels. T5's 100 sentinels are appended, with `<extra_id_0>` last.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_spiece(model: &[u8]) -> Result<Self> {
        Self::new(spiece::tokenizer(model)?)
    }
}
