//! Encoded sentences, kept from one run to the next.

use std::path::{Path, PathBuf};

use datasets::encode::Pairs;
use datasets::tokenizer::T5Tokenizer;
use sha2::{Digest, Sha256};

use super::cache_folder;
use crate::config::DataConfig;
use crate::{Error, Result};
use peft_files::write_atomic;

/// Raised whenever the same content would be encoded in another way, or written in another layout.
const VERSION: u8 = 1;

/// A folder of encoded corpora, each under a name that says of what content it is and what its own bytes must be:
/// `<key>-<SHA-256 of the file>.parquet`.
///
/// The key is a hash of everything that the ids depend on; whoever changes any of it finds nothing and encodes anew. A file
/// whose bytes are not those of its name is removed and made again. Nothing is ever deleted for space: the folder may be
/// emptied at any time.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    /// The hash of the tokenizer, as its `tokenizer.json`.
    tokenizer: [u8; 32],
}

/// A hash of everything that encoded sentences depend on.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// Adds one part; parts are told apart, whatever bytes they hold.
    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    fn text(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

impl Cache {
    /// The cache of a configuration for one tokenizer: in `data.cache_dir`, else in [`cache_folder`]; `None` where it is
    /// turned off, or there is neither.
    ///
    /// # Errors
    /// If the tokenizer cannot be written as JSON.
    pub fn open(config: &DataConfig, tokenizer: &T5Tokenizer) -> Result<Option<Self>> {
        let Some(folder) = config.cache_dir.clone().or_else(|| cache_folder("encoded")).filter(|_| config.cache) else {
            return Ok(None);
        };
        let tokenizer = Sha256::digest(tokenizer.to_json()?.as_bytes()).into();
        Ok(Some(Self { folder, tokenizer }))
    }

    /// The beginning of a key: the version of this program and the tokenizer.
    pub fn key(&self) -> Key {
        let version = [env!("CARGO_PKG_VERSION").as_bytes(), &[VERSION]].concat();
        Key(Sha256::new()).with(&version).with(&self.tokenizer)
    }

    /// The sentences of `key`: from their file, or else from `encode`, and then the file is written. `note` hears what
    /// stands in the way of that: a damaged file, a folder that cannot be written. Neither keeps the work from going on.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn get_or_encode(
        &self,
        key: Key,
        encode: impl FnOnce() -> Result<Pairs>,
        mut note: impl FnMut(&str),
    ) -> Result<Pairs> {
        let key = key.text();
        if let Some(pairs) = self.find(&key, &mut note) {
            return Ok(pairs);
        }
        let pairs = encode()?;
        if let Err(error) = self.keep(&key, &pairs) {
            note(&format!("encoded sentences are not kept for the next run: {error}"));
        }
        Ok(pairs)
    }

    fn find(&self, key: &str, note: &mut impl FnMut(&str)) -> Option<Pairs> {
        let files = std::fs::read_dir(&self.folder).ok()?;
        for path in files.flatten().map(|file| file.path()) {
            let Some(promised) = promised(&path, key) else {
                continue;
            };
            match read(&path, promised) {
                Ok(pairs) => return Some(pairs),
                // Another process has removed it, or is about to put the same file in its place.
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    note(&format!("{error}; encoding anew"));
                    // What cannot be removed is found damaged again next time.
                    let _ = std::fs::remove_file(&path);
                }
            }
        }
        None
    }

    fn keep(&self, key: &str, pairs: &Pairs) -> Result<()> {
        let bytes = pairs.to_parquet()?;
        let path = self.folder.join(format!("{key}-{}.parquet", hexadecimal(&Sha256::digest(&bytes))));
        std::fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, e))?;
        Ok(write_atomic(&path, |file| std::io::Write::write_all(file, &bytes))?)
    }
}

/// The hash that the name of a file promises, if it is one of `key`.
fn promised<'a>(path: &'a Path, key: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_prefix(key)?.strip_prefix('-')?.strip_suffix(".parquet")
}

fn read(path: &Path, promised: &str) -> Result<Pairs> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    if hexadecimal(&Sha256::digest(&bytes)) != promised {
        return Err(Error::malformed(path, "damaged: its bytes are not those that its name promises"));
    }
    Pairs::from_parquet(&bytes).map_err(|e| Error::malformed(path, e.to_string()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
