//! Where the tests find the reference values, if this checkout has them beside it.

use std::path::{Path, PathBuf};

/// The path of a reference file, or `None` (said on stderr) where it is not there.
pub(super) fn golden(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/goldens").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no reference file {name} beside the workspace");
    None
}
