//! Where caches are kept.

use std::ffi::OsString;
use std::path::PathBuf;

/// The cache folder called `name`: in `$HYPERLOADER_CACHE` if that is set, otherwise in `hyperloader` in the user's cache folder
/// (on Linux `$XDG_CACHE_HOME` or `~/.cache`). `None` if the user has no such folder.
pub fn cache_folder(name: &str) -> Option<PathBuf> {
    Some(root(std::env::var_os("HYPERLOADER_CACHE"), dirs::cache_dir())?.join(name))
}

fn root(own: Option<OsString>, users: Option<PathBuf>) -> Option<PathBuf> {
    let own = own.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    own.or_else(|| Some(users?.join("hyperloader")))
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn our_own_variable_comes_before_the_users_cache_folder() {
        let users = || Some("/home/me/.cache".into());
        assert_eq!(root(Some("here".into()), users()), Some("here".into()));
        assert_eq!(root(Some("".into()), users()), Some("/home/me/.cache/hyperloader".into()));
        assert_eq!(root(None, users()), Some("/home/me/.cache/hyperloader".into()));
        assert_eq!(root(None, None), None);
    }
}
