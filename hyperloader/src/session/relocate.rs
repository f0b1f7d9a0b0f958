//! Finds the backbone of a run that is used from another folder than the one where it was trained.

use std::path::{Path, PathBuf};

/// The folder `name` as seen from one of the folders around the folder `run`; `None` if `name` needs no help: it is absolute, is
/// there, or is one word.
///
/// A run's configuration names its backbone as it was named when the run was trained, often from the folder above both.
pub(super) fn near_run(name: &Path, run: &Path) -> Option<PathBuf> {
    let is_plain_path = name.is_relative() && name.components().count() > 1;
    if !is_plain_path || name.exists() {
        return None;
    }
    let run = run.canonicalize().ok()?;
    run.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_is_looked_for_around_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("work/runs/a")).unwrap();
        std::fs::create_dir_all(root.join("work/models/tiny")).unwrap();
        let near = |name: &str| near_run(Path::new(name), &root.join("work/runs/a"));
        assert_eq!(near("models/tiny"), Some(root.join("work/models/tiny")));
        assert_eq!(near("google/flan-t5-small"), None);
        assert_eq!(near("models"), None, "one word may be the name of a built-in shape or of a model on the hub");
        assert_eq!(near("src/session"), None, "it is there");
        assert_eq!(near(root.join("work").to_str().unwrap()), None);
    }
}
