//! The error type of this crate.

use std::path::{Path, PathBuf};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in `hyperloader`. The message names the offender.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing a file failed.
    #[error("{}: {}", path.display(), peft_files::plain(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason that the operating system gave.
        source: std::io::Error,
    },
    /// The value of a setting, or the file that it names, cannot be used.
    #[error("{key}: {source}")]
    Setting {
        /// The key of the configuration, or the option of the command.
        key: String,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// The configuration or the call is wrong (exit code 2).
    #[error("{0}")]
    Config(String),
    /// A file exists but does not contain what it should.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// Training cannot continue; the message names the step and the tensor.
    #[error("{0}")]
    Training(String),
    /// The run was interrupted and its state saved (exit code 130).
    #[error("interrupted at step {step}; state saved in {} (continue with --resume)", path.display())]
    Interrupted {
        /// Optimizer steps done.
        step: usize,
        /// The checkpoint folder.
        path: PathBuf,
    },
    /// A model could not be fetched from the hub.
    #[error("{0}")]
    Hub(String),
    /// A GPU cannot be used.
    #[error("--device {name}: {reason}")]
    Device {
        /// Its name.
        name: String,
        /// The reason that its driver gave, and what can be done.
        reason: String,
    },
    /// A result that this crate rules out: a defect of the crate, not of the call.
    #[error("internal error: {0}")]
    Internal(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A PEFT plan, method or generator failed.
    #[error(transparent)]
    Peft(#[from] peft_core::Error),
    /// The backbone failed, or cannot do what was asked.
    #[error(transparent)]
    T5(#[from] peft_t5::Error),
    /// A dataset or a tokenizer failed.
    #[error(transparent)]
    Data(#[from] datasets::Error),
}

impl Error {
    /// An [`Error::Io`] at `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// This error with the setting `key` that names the file, if it is about a file.
    pub(crate) fn asked_by(self, key: impl Into<String>) -> Self {
        let is_about_a_file = matches!(
            self,
            Self::Io { .. }
                | Self::T5(peft_t5::Error::File(_))
                | Self::Data(datasets::Error::Io { .. } | datasets::Error::BadFile { .. })
        );
        match is_about_a_file {
            true => Self::Setting { key: key.into(), source: Box::new(self) },
            false => self,
        }
    }

    /// The setting `key` has a value that cannot be used (exit code 2).
    pub(crate) fn setting(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), source: Box::new(Self::Config(reason.into())) }
    }

    /// An [`Error::Malformed`] at `path`.
    pub fn malformed(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }
}

impl From<peft_files::Error> for Error {
    fn from(peft_files::Error { path, source }: peft_files::Error) -> Self {
        Self::Io { path, source }
    }
}
