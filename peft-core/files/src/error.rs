//! The error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", path.display(), plain(source))]
pub struct Error {
    /// The file or folder, as the caller named it. `:line` follows if the error is about one line.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// An error of the operating system in plain words. Any other error says what it says.
pub fn plain(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    if error.raw_os_error().is_none() && error.get_ref().is_some() {
        return error.to_string();
    }
    match error.kind() {
        Kind::NotFound => "no such file or folder".to_owned(),
        Kind::PermissionDenied => "permission denied".to_owned(),
        Kind::IsADirectory => "this is a folder, not a file".to_owned(),
        Kind::NotADirectory => "a part of this path is a file, not a folder".to_owned(),
        Kind::StorageFull => "no space left on the device".to_owned(),
        Kind::QuotaExceeded => "your quota of this disk is used up".to_owned(),
        Kind::FileTooLarge => "too large for this file system".to_owned(),
        Kind::ReadOnlyFilesystem => "this file system can only be read; name a place elsewhere".to_owned(),
        Kind::AlreadyExists => "there is something of this name already; move it away, or give another name".to_owned(),
        Kind::DirectoryNotEmpty => "this folder is not empty".to_owned(),
        Kind::InvalidFilename => {
            "a name in this path is too long, or has letters that the system does not allow".to_owned()
        }
        Kind::UnexpectedEof => "it ends too early".to_owned(),
        _ => without_number(&error.to_string()),
    }
}

/// What the system says, without the number that it has for it.
fn without_number(text: &str) -> String {
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.ends_with(')') => words.to_owned(),
        _ => text.to_owned(),
    }
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
    /// Line number `line`, counted from 1, of the file at `path` does not hold what it should.
    pub fn at_line(path: impl AsRef<Path>, line: usize, reason: impl Into<String>) -> Self {
        let mut path = path.as_ref().as_os_str().to_owned();
        path.push(format!(":{line}"));
        Self::malformed(PathBuf::from(path), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_speaks_without_numbers() {
        for number in 1..=133 {
            let words = plain(&io::Error::from_raw_os_error(number));
            assert!(!words.contains("os error") && !words.is_empty(), "{number}: {words}");
        }
        let own = io::Error::new(io::ErrorKind::AlreadyExists, "as we say it");
        assert_eq!(plain(&own), "as we say it");
    }
}
