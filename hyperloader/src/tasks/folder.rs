//! Where caches are kept.

use std::path::PathBuf;

/// The cache folder called `name`: in `$HYPERLOADER_CACHE` if that is set, otherwise in `hyperloader` in the user's cache folder
/// (on Linux `$XDG_CACHE_HOME` or `~/.cache`). `None` if the user has no such folder.
pub fn cache_folder(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("HYPERLOADER_CACHE").filter(|folder| !folder.is_empty());
    let root = own.map(PathBuf::from).or_else(|| Some(dirs::cache_dir()?.join("hyperloader")))?;
    Some(root.join(name))
}
