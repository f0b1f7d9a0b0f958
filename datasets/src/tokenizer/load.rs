//! Loading: `tokenizer.json`, `spiece.model`, or the folder that holds one of them.

use std::path::Path;

use tokenizers::{ModelWrapper, Tokenizer};

use super::layout::{follow_conventions, foreign};
use super::{T5Tokenizer, spiece};
use crate::error::{Error, Result};

const JSON: &str = "tokenizer.json";
const SPIECE: &str = "spiece.model";

impl T5Tokenizer {
    /// Loads from a folder ([`Self::from_folder`]) or a file ([`Self::from_file`]), whichever `path` is.
    ///
    /// # Errors
    /// Those of the two.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() { Self::from_folder(path) } else { Self::from_file(path) }
    }

    /// Loads `tokenizer.json` from a model folder or, where there is none, `spiece.model`.
    ///
    /// # Errors
    /// If the folder holds neither, or the file is malformed.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let found = [JSON, SPIECE].map(|name| folder.join(name)).into_iter().find(|file| file.is_file());
        let file = found.ok_or_else(|| Error::BadFile {
            path: folder.to_owned(),
            reason: format!("holds no tokenizer; put `{JSON}` or `{SPIECE}` there"),
        })?;
        Self::from_file(file)
    }

    /// Loads a `.json` file of Hugging Face `tokenizers` or a `.model` file of sentencepiece.
    ///
    /// Both come out alike, as T5's own tokenizer behaves: a `tokenizer.json` that marks words in
    /// another way (`prepend_scheme`), pads or truncates is brought to T5's conventions.
    ///
    /// # Errors
    /// If the file cannot be read, is malformed, is not a Unigram model, or lacks `<pad>`,
    /// `</s>`, `<unk>` or the sentinels.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let read = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::from_json(&bytes),
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
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(foreign)?;
        if !matches!(tokenizer.get_model(), ModelWrapper::Unigram(_)) {
            return Err(Error::Tokenizer("T5 needs a `Unigram` model, the file holds another".to_owned()));
        }
        follow_conventions(&mut tokenizer)?;
        Self::new(tokenizer)
    }

    /// Reads the bytes of a sentencepiece `spiece.model`; see [`Self::from_file`].
    ///
    /// T5's 100 sentinels, which such a file does not hold, are appended, `<extra_id_0>` last.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_spiece(model: &[u8]) -> Result<Self> {
        Self::new(spiece::parse(model)?.into_tokenizer()?)
    }
}
