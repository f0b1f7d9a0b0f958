//! The error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct Error {
    /// The file or folder, as the caller named it.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl Error {
    /// The operating system's error `source` at `path`.
    pub fn new(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self { path: path.as_ref().to_path_buf(), source }
    }

    /// The file at `path` does not hold what it should, or cannot hold what it should.
    pub fn malformed(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::new(path, io::Error::new(io::ErrorKind::InvalidData, reason.into()))
    }
}
