//! The one error type of this crate.

use std::path::PathBuf;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a checkpoint and its tags, with the offender in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings ask for what this model, this folder or these tags cannot give.
    #[error("{0}")]
    Config(String),
    /// Arguments that do not belong together: sizes, counts, or a model and what was made by another one.
    #[error("{0}")]
    Mismatch(String),
    /// Reading or writing a file failed.
    #[error(transparent)]
    File(#[from] peft_files::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A PEFT plan, method or generator failed.
    #[error(transparent)]
    Peft(#[from] peft_core::Error),
}

impl Error {
    /// The file at `path` is there but does not hold what it should.
    pub(crate) fn malformed(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::File(peft_files::Error::malformed(path.into(), reason))
    }
}
