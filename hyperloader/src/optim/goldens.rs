//! The reference values of the tests, if this checkout has them.

use std::path::{Path, PathBuf};

/// The path of a reference file; `None`, with a note on stderr, if it does not exist.
pub(super) fn golden(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/goldens").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no reference file {name} next to the workspace");
    None
}
