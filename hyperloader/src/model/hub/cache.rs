//! The cache of the hub, as Python's `huggingface_hub` lays it out: `models--ORG--NAME/snapshots/COMMIT/FILE`, where
//! `models--ORG--NAME/refs/REVISION` holds the commit of a branch or a tag.

use std::path::{Component, Path, PathBuf};

/// The fewest digits of a commit that may stand for all of them, as in git.
const SHORTEST: usize = 4;

/// One revision of a model in the cache, which need not be there.
#[derive(Debug)]
pub(super) struct CachedModel {
    folder: PathBuf,
    revision: String,
}

impl CachedModel {
    /// The model `id` in the folder `cache`. `revision` is a branch, a tag, or a commit, whole or its first digits.
    pub(super) fn new(cache: &Path, id: &str, revision: &str) -> Self {
        let folder = cache.join(format!("models--{}", id.replace('/', "--")));
        Self { folder, revision: revision.to_owned() }
    }

    /// The file called `file`, if it is in the cache.
    pub(super) fn get(&self, file: &str) -> Option<PathBuf> {
        let path = self.snapshot()?.join(file);
        path.exists().then_some(path)
    }

    /// Why [`get`](Self::get) found no `file`.
    pub(super) fn lacks(&self, file: &str) -> String {
        let folder = self.folder.display();
        if !self.folder.is_dir() {
            return format!("there is no {folder}");
        }
        match self.snapshot() {
            Some(snapshot) => format!("{} has no {file}", snapshot.display()),
            None => format!("{folder} has no revision {:?}", self.revision),
        }
    }

    /// The folder of the revision.
    fn snapshot(&self) -> Option<PathBuf> {
        let revision = Path::new(&self.revision);
        if !revision.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let named = std::fs::read_to_string(self.folder.join("refs").join(revision)).ok();
        let named = named.map(|commit| self.snapshots().join(commit.trim())).filter(|folder| folder.is_dir());
        let whole = || Some(self.snapshots().join(revision)).filter(|folder| folder.is_dir());
        named.or_else(whole).or_else(|| self.abbreviated())
    }

    fn snapshots(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    /// The only folder whose commit begins with the revision.
    fn abbreviated(&self) -> Option<PathBuf> {
        let digits = self.revision.to_ascii_lowercase();
        if digits.len() < SHORTEST || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let begins = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(&digits));
        let entries = std::fs::read_dir(self.snapshots()).ok()?.flatten();
        let mut found = entries.filter(|entry| begins(&entry.file_name())).map(|entry| entry.path());
        found.next().filter(|_| found.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const COMMIT: &str = "9c0ffee1d2e3f405162738495a6b7c8d9e0f1a2b";
    const OTHER: &str = "9c0fdead02e3f405162738495a6b7c8d9e0f1a2b";

    /// A cache with two commits, the branches `main` and `refs/pr/1`, and the tag `v1`.
    fn cache() -> tempfile::TempDir {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--lab--tiny");
        for commit in [COMMIT, OTHER] {
            std::fs::create_dir_all(model.join("snapshots").join(commit)).unwrap();
        }
        std::fs::create_dir_all(model.join("refs/refs/pr")).unwrap();
        std::fs::write(model.join("snapshots").join(COMMIT).join("config.json"), "{}").unwrap();
        for (name, commit) in
            [("main", format!("{COMMIT}\n")), ("v1", OTHER.to_owned()), ("refs/pr/1", COMMIT.to_owned())]
        {
            std::fs::write(model.join("refs").join(name), commit).unwrap();
        }
        cache
    }

    #[test]
    fn branches_tags_and_commits_are_found() {
        let cache = cache();
        let found = |revision| CachedModel::new(cache.path(), "lab/tiny", revision).get("config.json");
        for revision in ["main", "refs/pr/1", COMMIT, "9c0ffee", "9C0FFEE1"] {
            assert!(found(revision).unwrap().ends_with(format!("{COMMIT}/config.json")), "{revision}");
        }
        for revision in ["v1", OTHER, "9c0f", "9c0", "v2", "../main", "/", ""] {
            assert_eq!(found(revision), None, "{revision}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let cache = cache();
        let lacks = |id, revision, file| CachedModel::new(cache.path(), id, revision).lacks(file);
        assert!(lacks("lab/big", "main", "config.json").ends_with("models--lab--big"));
        assert!(lacks("lab/tiny", "v2", "config.json").ends_with("models--lab--tiny has no revision \"v2\""));
        assert!(lacks("lab/tiny", "v1", "config.json").ends_with(&format!("{OTHER} has no config.json")));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_into_the_blobs_is_a_file_if_its_blob_is_there() {
        let cache = cache();
        let model = cache.path().join("models--lab--tiny");
        let link = model.join("snapshots").join(COMMIT).join("spiece.model");
        std::os::unix::fs::symlink("../../blobs/abc", &link).unwrap();
        let found = || CachedModel::new(cache.path(), "lab/tiny", "main").get("spiece.model");
        assert_eq!(found(), None);
        std::fs::create_dir(model.join("blobs")).unwrap();
        std::fs::write(model.join("blobs/abc"), "x").unwrap();
        assert_eq!(found(), Some(link));
    }
}
