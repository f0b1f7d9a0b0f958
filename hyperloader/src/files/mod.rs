//! Folders that are written atomically: a power cut leaves the old state or the new state, never half of one.
//!
//! - [`write_dir_atomic`], [`verify_manifest`], [`remove_leftovers`]: a folder of files with the hash of each.
//! - [`update_link`], [`resolve_link`]: a name such as `best` that points at one of several folders.
//!
//! The crate [`peft_files`] writes single files.

mod folder;
mod link;
mod manifest;

pub use folder::{remove_leftovers, write_dir_atomic};
pub use link::{resolve_link, update_link};
pub(crate) use manifest::hexadecimal;
pub use manifest::{FileEntry, MANIFEST, Manifest, verify_manifest};
