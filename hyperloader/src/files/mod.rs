//! Folders that are written atomically: a power cut leaves the old state or the new state, never half of one.
//!
//! - [`write_dir_atomic`], [`write_new_dir`], [`verify_manifest`], [`remove_leftovers`]: a folder of files with the hash of each.
//! - [`FolderLock`]: one process at a time in a folder.
//! - [`update_link`], [`resolve_link`]: a name such as `best` that points at one of several folders.
//!
//! The crate [`peft_files`] writes single files.

mod folder;
mod leftovers;
mod link;
mod lock;
mod manifest;

pub use folder::{write_dir_atomic, write_new_dir};
pub use leftovers::remove_leftovers;
pub(crate) use leftovers::{remove_half_built, restore_replaced};
pub use link::{resolve_link, update_link};
pub use lock::FolderLock;
pub(crate) use manifest::hexadecimal;
pub use manifest::{FileEntry, MANIFEST, Manifest, verify_manifest};
