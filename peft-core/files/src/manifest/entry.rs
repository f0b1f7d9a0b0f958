//! Length and checksums of one file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::MANIFEST;
use super::blocks::BlockCrcs;
use crate::Error;

/// Bytes that are read at once: they are still in the processor's cache when they are hashed.
const AT_ONCE: usize = 256 << 10;

/// One file of a [`Manifest`](super::Manifest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
    /// CRC-32C in eight lower-case hexadecimal digits. It finds damage at a tenth of the time that SHA-256 takes, so it is what
    /// is compared when a model is loaded. Manifests of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    /// Of a file of more than a MiB: the CRC-32C of each 64 KiB, one after the other. A mapped file is checked where it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c_blocks: Option<String>,
    /// The content that the file had before. It is accepted too: the file is being replaced, or a killed process left it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<FileEntry>>,
}

impl FileEntry {
    /// The entry of a file that holds `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut crcs = BlockCrcs::default();
        crcs.update(bytes);
        Self::new(bytes.len() as u64, &Sha256::digest(bytes), crcs)
    }

    /// The entry of the file at `path`.
    ///
    /// # Errors
    /// [`Error`] naming the file.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let (mut sha256, mut crcs) = (Sha256::new(), BlockCrcs::default());
        let bytes = read_parts(path, |part| {
            sha256.update(part);
            crcs.update(part);
        })?;
        Ok(Self::new(bytes, &sha256.finalize(), crcs))
    }

    fn new(bytes: u64, sha256: &[u8], crcs: BlockCrcs) -> Self {
        let sha256 = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let (crc32c, crc32c_blocks) = crcs.finish();
        Self { bytes, sha256, crc32c: Some(format!("{crc32c:08x}")), crc32c_blocks, before: None }
    }

    /// Why the file at `path`, whose length and SHA-256 are those of `found`, is not the listed one.
    pub(super) fn refusal(&self, found: &Self) -> Option<String> {
        let own = if found.bytes != self.bytes {
            Some(format!("{} bytes; {MANIFEST} says {}", found.bytes, self.bytes))
        } else if found.sha256 != self.sha256 {
            Some(format!("SHA-256 is {}; {MANIFEST} says {}", found.sha256, self.sha256))
        } else {
            None
        };
        own.filter(|_| self.before.as_ref().is_none_or(|before| before.refusal(found).is_some()))
    }

    /// Whether loading compares anything: an entry of an older version has no CRC.
    pub(super) fn has_crc(&self) -> bool {
        self.crc32c.is_some()
    }

    /// As [`refusal`](Self::refusal), by CRC-32C. An entry without one refuses nothing.
    pub(super) fn crc_refusal(&self, bytes: u64, crc: u32) -> Option<String> {
        let expected = self.crc32c.as_ref()?;
        let own = if bytes != self.bytes {
            Some(format!("{bytes} bytes; {MANIFEST} says {}", self.bytes))
        } else if format!("{crc:08x}") != *expected {
            Some(format!("CRC-32C is {crc:08x}; {MANIFEST} says {expected}"))
        } else {
            None
        };
        own.filter(|_| self.before.as_ref().is_none_or(|before| before.crc_refusal(bytes, crc).is_some()))
    }
}

/// Hands the content of the file at `path` to `each`, part after part; returns its length.
pub(super) fn read_parts(path: &Path, mut each: impl FnMut(&[u8])) -> Result<u64, Error> {
    let mut read = || -> std::io::Result<u64> {
        let (mut file, mut buffer, mut bytes) = (File::open(path)?, vec![0; AT_ONCE], 0);
        loop {
            let count = match file.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                count => count?,
            };
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { return Ok(bytes) };
            each(part);
            bytes += count as u64;
        }
    };
    read().map_err(|source| Error::new(path, source))
}
