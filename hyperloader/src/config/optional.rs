//! Keys that may be left out.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// The words for a path that is left out. TOML has no `null`, and `--set` must be able to undo what a file says.
const LEFT_OUT: [&str; 2] = ["", "none"];

/// A path, or [`None`] for a word that leaves it out. A file of that name is `./none`.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<PathBuf>::deserialize(deserializer)?;
    Ok(path.filter(|path| !path.to_str().is_some_and(|path| LEFT_OUT.contains(&path))))
}
