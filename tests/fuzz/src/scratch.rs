//! Files in memory, for readers that take a path.

use std::path::Path;

use tempfile::TempDir;

/// An empty folder, removed when dropped.
///
/// # Panics
/// If there is no room for it.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder for temporary files")
}

/// Writes `bytes` to the file `name` in `folder`.
///
/// # Panics
/// If that fails.
pub fn put(folder: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(folder.path().join(name), bytes).expect("room for a temporary file");
}
