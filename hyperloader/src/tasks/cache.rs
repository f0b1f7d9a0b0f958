//! A cache of encoded sentences, kept from one run to the next.

use std::path::{Path, PathBuf};

use datasets::encode::Pairs;
use datasets::tokenizer::T5Tokenizer;
use sha2::{Digest, Sha256};

use crate::files::hexadecimal;
use crate::{Error, Result};
use peft_files::{create_folders, write_atomic};

/// The version of the encoding and of the file layout. Raise it when either changes.
const VERSION: u8 = 2;

/// A folder of encoded corpora. A file is called `<key>-<SHA-256 of the file>.parquet`.
///
/// The key is a hash of everything that the ids depend on. If any of it changes, nothing is found and the corpus is encoded
/// again. A file whose bytes do not match its name is removed and written again. The cache deletes nothing to save space; the
/// folder can be emptied at any time.
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
    /// Adds one part. Its length is part of the hash, so that parts cannot run into each other.
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
    /// The cache in `folder` for sentences that `tokenizer` encodes.
    ///
    /// # Errors
    /// If the tokenizer cannot be written as JSON.
    pub fn open(folder: impl Into<PathBuf>, tokenizer: &T5Tokenizer) -> Result<Self> {
        let tokenizer = Sha256::digest(tokenizer.to_json()?.as_bytes()).into();
        Ok(Self { folder: folder.into(), tokenizer })
    }

    /// The beginning of a key: the version of this crate and the tokenizer.
    pub fn key(&self) -> Key {
        let version = [env!("CARGO_PKG_VERSION").as_bytes(), &[VERSION]].concat();
        Key(Sha256::new()).with(&version).with(&self.tokenizer)
    }

    /// The sentences of `key`: from their file, or from `encode` if there is no such file. In that case the file is written.
    ///
    /// A damaged file or a folder that cannot be written is no error: `note` is called with a message.
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
            let Some(named) = named(&path, key) else {
                continue;
            };
            match read(&path, named) {
                Ok(pairs) => return Some(pairs),
                // Another process removed the file, or is about to replace it with the same content.
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    note(&format!("{error}; encoding again"));
                    // A file that cannot be removed is found damaged again next time.
                    let _ = std::fs::remove_file(&path);
                }
            }
        }
        None
    }

    fn keep(&self, key: &str, pairs: &Pairs) -> Result<()> {
        let bytes = pairs.to_parquet()?;
        let path = self.folder.join(format!("{key}-{}.parquet", sha256(&bytes)));
        let made = create_folders(&self.folder)?;
        write_atomic(&path, |file| std::io::Write::write_all(file, &bytes))?;
        made.keep();
        Ok(())
    }
}

/// The hash in the name of a file, if the file belongs to `key`.
fn named<'a>(path: &'a Path, key: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_prefix(key)?.strip_prefix('-')?.strip_suffix(".parquet")
}

fn read(path: &Path, named: &str) -> Result<Pairs> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    if sha256(&bytes) != named {
        return Err(Error::malformed(path, "damaged: its bytes do not match the hash in its name"));
    }
    Pairs::from_parquet(&bytes).map_err(|e| Error::malformed(path, e.to_string()))
}

/// The SHA-256 of `bytes` in hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}
