//! Where caches lie.

use std::env::var_os;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The cache folder called `name`: in `$HYPERLOADER_CACHE`; else in `hyperloader` in the user's own cache folder, which is
/// `$XDG_CACHE_HOME`, `~/.cache` or, on Windows, `%LOCALAPPDATA%`. `None` where none of these variables is set.
pub fn cache_folder(name: &str) -> Option<PathBuf> {
    folder_from(|variable| var_os(variable)).map(|folder| folder.join(name))
}

fn folder_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative path there is to be ignored, says the XDG specification.
    let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
    set("HYPERLOADER_CACHE").or_else(|| {
        let users = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .or_else(|| absolute("LOCALAPPDATA"))?;
        Some(users.join(Path::new("hyperloader")))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::folder_from;
    use std::path::PathBuf;

    fn folder(set: &[(&str, &str)]) -> Option<PathBuf> {
        folder_from(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn our_own_variable_comes_before_the_users_cache_folder() {
        let all = [("HYPERLOADER_CACHE", "here"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me")];
        assert_eq!(folder(&all), Some("here".into()));
        assert_eq!(folder(&all[1..]), Some("/xdg/hyperloader".into()));
        assert_eq!(folder(&all[2..]), Some("/home/me/.cache/hyperloader".into()));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "relative"), ("HOME", "")]), None);
    }
}
