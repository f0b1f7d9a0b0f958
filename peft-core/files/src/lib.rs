//! Writes files atomically: after a crash, a full disk or a failed write, a reader finds the old content or the new content,
//! never a part of it.
//!
//! [`write_atomic`] writes to a temporary file in the same folder, makes the bytes reach the disk, and renames the file to
//! its final name. Of a symbolic link it replaces the target. Pipes, devices and stdout (`-`) cannot be replaced, so it writes to
//! them directly. [`stage`] is its first half, for several files that belong together. The feature `tensors` adds `save_tensors`
//! and `load_tensors`, for candle's tensors in safetensors files, and `MappedTensors`, for the weights in a model's folder.
//!
//! A [`Manifest`] lists the files of a folder with their checksums. [`write_listed`] keeps it, and [`read_listed`] refuses a file
//! that has changed since.
//!
//! [`read_text`] and [`read_json`] read whole files: an error names the line, and says where a file is a pointer of Git LFS or a
//! web page.
//!
//! ```
//! # use std::io::Write;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("scores.txt");
//! peft_files::write_atomic(&path, |file| writeln!(file, "f1 = {}", 0.9))?;
//! assert_eq!(std::fs::read_to_string(&path)?, "f1 = 0.9\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abandoned;
mod atomic;
#[cfg(feature = "tensors")]
mod backend;
mod contents;
mod error;
mod folders;
mod json;
mod manifest;
#[cfg(feature = "tensors")]
mod mapped;
#[cfg(feature = "tensors")]
mod model_folder;
#[cfg(feature = "tensors")]
mod pickle;
mod place;
mod read;
#[cfg(feature = "tensors")]
mod tensors;
mod text;
mod words;

pub use contents::{check_contents, check_file, check_pointer};
pub use json::{from_json_value, json_reason, parse_json};
pub use read::{read_json, read_text};
pub use text::{invalid_utf8, text_of};
pub use words::{expected_in_words, found_in_words};

pub use abandoned::remove_abandoned;
pub use atomic::{Staged, stage, temporary_prefix, write_atomic};
pub use error::{Error, plain};
pub use folders::{NewFolders, create_folders, parent, sync_folder};
pub use manifest::{
    FileEntry, MANIFEST, Manifest, MappedChecks, check_listed, commit_listed, list_files, read_listed, verify_manifest,
    write_listed,
};
#[cfg(feature = "tensors")]
pub use mapped::MappedTensors;
#[cfg(feature = "tensors")]
pub use model_folder::save_model;
#[cfg(feature = "tensors")]
pub use pickle::load_pickle;
pub use place::is_stdout;
#[cfg(feature = "tensors")]
pub use tensors::{PYTORCH, is_possible, load_tensors, not_safetensors, save_tensors, stage_tensors};

/// The program of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
