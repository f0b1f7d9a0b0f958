//! One process at a time in a folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use tracing::warn;

use crate::{Error, Result};

/// A folder that only this process writes to, until the lock is dropped. The system frees the lock of a killed process.
///
/// The lock belongs to the open folder and needs no file in it.
#[derive(Debug)]
#[must_use = "the folder is free again when this is dropped"]
pub struct FolderLock {
    /// `None` if the file system has no locks.
    _folder: Option<File>,
}

impl FolderLock {
    /// Locks the folder at `path`. A file system that has no locks is reported as a warning.
    ///
    /// # Errors
    /// [`Error::Config`] naming the folder if another process holds it; [`Error::Io`] if there is no such folder.
    pub fn take(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::try_take(path)?.ok_or_else(|| taken(path))
    }

    /// Like [`take`](Self::take), but `None` if the folder is held already.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such folder.
    pub fn try_take(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        match attempt(path) {
            Attempt::Held(folder) => Ok(Some(Self { _folder: Some(folder) })),
            Attempt::Taken => Ok(None),
            Attempt::Unknown(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::io(path, error)),
            Attempt::Unknown(error) => {
                let folder = path.display();
                warn!("{folder}: cannot be locked here ({error}); let no other process write to it at the same time");
                Ok(Some(Self { _folder: None }))
            }
        }
    }
}

/// The error of a folder that another process holds.
pub(super) fn taken(path: &Path) -> Error {
    Error::Config(format!(
        "{}: another process is writing to this folder; wait until it is done, or name another folder",
        path.display()
    ))
}

/// The result of trying to lock a folder.
pub(super) enum Attempt {
    /// It is ours until the file is closed.
    Held(File),
    /// Another process has it.
    Taken,
    /// This file system has no locks, or the folder cannot be opened.
    Unknown(io::Error),
}

pub(super) fn attempt(path: &Path) -> Attempt {
    let folder = match File::open(path) {
        Ok(folder) => folder,
        Err(error) => return Attempt::Unknown(error),
    };
    match folder.try_lock() {
        Ok(()) => Attempt::Held(folder),
        Err(TryLockError::WouldBlock) => Attempt::Taken,
        Err(TryLockError::Error(error)) => Attempt::Unknown(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_by_name_until_the_first_is_done_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let message = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains(&*folder.path().to_string_lossy()) && message.contains("another process"),
            "{message}"
        );
        drop(first);
        drop(FolderLock::take(folder.path()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        assert!(FolderLock::take("/no/such/folder").unwrap_err().to_string().contains("/no/such/folder"));
    }
}
