//! Git LFS leaves a small text in place of a file that it has not fetched.

use std::path::Path;

use crate::error::{Error, Result};

const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// # Errors
/// [`Error::BadFile`] that says what to do if the bytes are such a text.
pub(in crate::read) fn refuse_pointer(bytes: &[u8], path: &Path) -> Result<()> {
    if !bytes.starts_with(POINTER) {
        return Ok(());
    }
    let reason = "a Git LFS pointer, not the data: fetch the file with `git lfs pull`";
    Err(Error::file(path, reason))
}
