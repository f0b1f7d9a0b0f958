//! Reads whole text and JSON files. An error names the line.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::json::parse_json;
use crate::manifest::read_listed;
use crate::text::text_of;

/// The text of the file at `path`, without a byte order mark.
///
/// # Errors
/// [`Error`] naming `path` if it cannot be read, differs from what a [manifest](crate::Manifest) says, or is not a text file; with
/// `:line` after it if a line is not UTF-8.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.txt");
/// std::fs::write(&path, b"one\nt\xffwo\n")?;
/// let message = peft_files::read_text(&path).unwrap_err().to_string();
/// assert!(message.ends_with("a.txt:2: invalid UTF-8 after byte 1 of the line"), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_text(path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref();
    text_of(path, read_listed(path)?)
}

/// The JSON document in the file at `path`, with or without a byte order mark.
///
/// # Errors
/// [`Error`] naming `path`, and the line where the document is not JSON or not a `T`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.json");
/// std::fs::write(&path, "{\n\"r\": eight}")?;
/// let message = peft_files::read_json::<serde_json::Value>(&path).unwrap_err().to_string();
/// assert!(message.ends_with("a.json:2: not JSON: expected value, at column 6"), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_json<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, Error> {
    let path = path.as_ref();
    parse_json(path, &read_text(path)?)
}
