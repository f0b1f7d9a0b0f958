//! Files that are whole or not there: a power cut leaves the old state or the new one, never half of one.
//!
//! - [`write_atomic`]: one file, written beside and renamed.
//! - [`write_dir_atomic`], [`verify_manifest`], [`remove_leftovers`]: a folder of files with the hash of each.
//! - [`update_link`], [`resolve_link`]: a name such as `best` that points at one of several folders.
//! - [`save_tensors`], [`load_tensors`]: safetensors with the same bytes for the same tensors, always.

mod atomic;
mod folder;
mod link;
mod manifest;
mod tensors;

pub use atomic::write_atomic;
pub use folder::{remove_leftovers, write_dir_atomic};
pub use link::{resolve_link, update_link};
pub use manifest::{FileEntry, MANIFEST, Manifest, verify_manifest};
pub use tensors::{TensorFile, load_tensors, read_tensor_file, save_tensors};
