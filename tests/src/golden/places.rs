//! Where reference files are: the committed ones in `tests/goldens`, the others in `../shared`, which a clone does not have.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Set to 1, a missing file of `../shared` is a failure.
pub const REQUIRED: &str = "HYPERLOADER_REQUIRE_GOLDENS";

/// A file or folder of `../shared`.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It exists.
    Found(PathBuf),
    /// It does not exist, and need not. The reason to print.
    Skip(String),
    /// It does not exist, but `$HYPERLOADER_REQUIRE_GOLDENS` is 1. The message to fail with.
    Missing(String),
}

impl Lookup {
    fn of(root: &Path, name: &str, required: bool) -> Self {
        let path = root.join(name);
        match (path.exists(), required) {
            (true, _) => Self::Found(path),
            (false, false) => Self::Skip(format!("no ../shared/{name}")),
            (false, true) => {
                Self::Missing(format!("no ../shared/{name}, and {REQUIRED} is 1: put it there or unset {REQUIRED}"))
            }
        }
    }
}

/// The file or folder `name` of `../shared`. Nothing else in the workspace opens that folder.
pub fn lookup(name: &str) -> Lookup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    Lookup::of(&root, name, std::env::var_os(REQUIRED).is_some_and(|value| value == "1"))
}

/// The file or folder `name` of `../shared`, or `None` after a line on stderr. For tests that also check committed files; a test that
/// needs `../shared` for everything is a [`trial`](super::trial).
///
/// # Panics
/// If it is missing and `$HYPERLOADER_REQUIRE_GOLDENS` is 1.
pub fn require(name: &str) -> Option<PathBuf> {
    match lookup(name) {
        Lookup::Found(path) => Some(path),
        Lookup::Missing(message) => panic!("{message}"),
        Lookup::Skip(reason) => {
            announce(&format!("skipped: {reason}; only the committed files are compared"));
            None
        }
    }
}

/// Prints `line` once a process. The test harness captures `eprintln!`, but not what is written to stderr itself.
fn announce(line: &str) {
    static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut printed = PRINTED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if printed.insert(line.to_owned()) {
        // A closed stderr must not fail a test.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// The committed file or folder `name` of `tests/goldens`.
///
/// # Panics
/// If it does not exist: the checkout is not whole.
pub fn committed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
    assert!(path.exists(), "{} is committed, but does not exist", path.display());
    path
}

/// The folders in `root` that hold `file`, in the order of their names.
///
/// # Panics
/// If `root` cannot be read.
pub(crate) fn folders_with(root: &Path, file: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.join(file).is_file());
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_found_whether_or_not_it_is_required() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("table.json"), "{}").unwrap();
        for required in [false, true] {
            let found = Lookup::of(root.path(), "table.json", required);
            assert_eq!(found, Lookup::Found(root.path().join("table.json")));
        }
    }

    #[test]
    fn what_is_missing_is_skipped_with_a_reason_and_fails_if_it_is_required() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Lookup::of(root.path(), "data", false), Lookup::Skip("no ../shared/data".to_owned()));
        let Lookup::Missing(message) = Lookup::of(root.path(), "data", true) else { panic!("it is not there") };
        assert!(message.contains("../shared/data") && message.contains("HYPERLOADER_REQUIRE_GOLDENS"), "{message}");
    }

    /// The Rust files below `folder`.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && name != "target" && name != ".git" {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn no_other_file_of_the_workspace_opens_shared() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut all = Vec::new();
        sources(&here.join(".."), &mut all);
        assert!(all.len() > 100, "{} files", all.len());
        let opens = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains("../../shared");
        let found: Vec<PathBuf> = all.into_iter().filter(opens).collect();
        let [only] = found.as_slice() else {
            panic!(
                "only peft_tests::golden may open ../shared: a test elsewhere could pass by finding nothing: {found:?}"
            );
        };
        assert!(only.ends_with("src/golden/places.rs"), "{only:?}");
    }

    #[test]
    fn only_folders_with_the_file_are_listed() {
        let root = tempfile::tempdir().unwrap();
        for (folder, file) in [("b", "golden.json"), ("a", "golden.json"), ("c", "other.json")] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            std::fs::write(root.path().join(folder).join(file), "").unwrap();
        }
        let expected = ["a", "b"].map(|name| root.path().join(name));
        assert_eq!(folders_with(root.path(), "golden.json"), expected);
    }
}
