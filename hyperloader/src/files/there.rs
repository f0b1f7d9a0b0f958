//! Telling a missing file from one that cannot be read.

use std::io;
use std::path::Path;

use crate::{Error, Result};

/// What the file system says about `path`; `None` if there is nothing of this name.
pub(crate) fn if_there<T>(path: &Path, found: io::Result<T>) -> Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(|source| Error::io(path, source)),
    }
}
