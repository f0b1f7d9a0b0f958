//! Folders that are written atomically: a power cut leaves the old state or the new state, never half of one.
//!
//! - [`write_dir_atomic`], [`write_new_dir`], [`verify_manifest`], [`remove_leftovers`]: a folder of files with their checksums.
//! - [`FolderLock`]: one process at a time in a folder.
//! - [`update_link`], [`resolve_link`]: a name such as `best` that points at one of several folders.
//!
//! The crate [`peft_files`] writes single files, and keeps the manifest.

mod folder;
mod leftovers;
mod link;
mod lock;
mod there;
mod unicode;
mod whole;

pub use folder::{write_dir_atomic, write_new_dir};
pub use leftovers::remove_leftovers;
pub(crate) use leftovers::{remove_half_built, restore_replaced};
pub use link::{resolve_link, update_link};
pub use lock::FolderLock;
pub use peft_files::{FileEntry, MANIFEST, Manifest, verify_manifest};
pub(crate) use there::if_there;
pub(crate) use unicode::unicode;
pub(crate) use whole::write_whole;

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sorted names of what is in a folder, for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
fn names(folder: &std::path::Path) -> Vec<String> {
    let items = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
