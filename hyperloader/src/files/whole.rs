//! A file whose content is made while it is written.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use peft_files::write_atomic;

use crate::{Error, Result};

/// Writes the file at `path` with `write`, as [`write_atomic`] does: all of it, or nothing.
///
/// # Errors
/// That of `write`; [`Error::Io`] naming the file.
pub(crate) fn write_whole<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<T>) -> Result<T> {
    let mut failed = None;
    let written = write_atomic(path, |file| {
        write(file).map_err(|error| {
            failed = Some(error);
            io::Error::other("the content could not be made")
        })
    });
    match failed {
        Some(error) => Err(error),
        None => written.map_err(Error::from),
    }
}
