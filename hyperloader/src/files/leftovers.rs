//! What killed processes leave: half-built files and folders, and folders between the two renames that replace them.

use std::fs;
use std::path::{Path, PathBuf};

use peft_files::parent;

use super::lock::{Attempt, attempt, taken};
use super::there::if_there;
use crate::{Error, Result};

/// Marks a folder that is being built.
pub(super) const BUILDING: &str = "tmp";

/// Marks the earlier folder of the same name, between the two renames that replace it.
pub(super) const REPLACED: &str = "old";

/// Removes from `folder` what killed processes left in it, and returns the paths of these leftovers.
///
/// Half-built files and folders (`<name>.tmp-<process>-<letters>`) are removed. A replaced folder
/// (`<name>.old-…`) gets its name back if the process was killed before the new folder had it; otherwise it is removed.
/// Call this once, at the start of the only process that writes there. A folder that does not exist has no leftovers.
///
/// # Errors
/// [`Error::Io`] naming the path.
pub fn remove_leftovers(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    let mut found = restore_replaced(folder)?;
    for (path, _, _) in leftovers(folder)? {
        remove(&path)?;
        found.push(path);
    }
    found.sort();
    Ok(found)
}

/// The first half of [`remove_leftovers`]: gives replaced folders their names back, and removes nothing.
///
/// # Errors
/// [`Error::Io`] naming the path.
pub(crate) fn restore_replaced(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (path, original, kind) in leftovers(folder)? {
        if kind == REPLACED && !original.exists() {
            fs::rename(&path, &original).map_err(|source| Error::io(&path, source))?;
            found.push(path);
        }
    }
    Ok(found)
}

/// Removes from `folder` what killed processes left of the files and links called `names`. Everything else stays.
///
/// # Errors
/// [`Error::Io`] naming the path.
pub(crate) fn remove_half_built(folder: &Path, names: &[&str]) -> Result<()> {
    for (path, original, kind) in leftovers(folder)? {
        if kind == BUILDING && names.iter().any(|name| original.ends_with(name)) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes the half-built folders for `path` that killed processes left next to it; `ours` is that of this process.
///
/// # Errors
/// [`Error::Config`] if a process that still runs is building one of them.
pub(super) fn remove_abandoned(path: &Path, ours: &Path) -> Result<()> {
    // A folder that cannot be listed hides its leftovers, which do no harm.
    for (half, original, kind) in leftovers(parent(path)).unwrap_or_default() {
        let same = |one: &Path, other: &Path| one.file_name() == other.file_name();
        if kind != BUILDING || !same(&original, path) || same(&half, ours) || !half.is_dir() {
            continue;
        }
        match attempt(&half) {
            Attempt::Held(_abandoned) => remove(&half)?,
            Attempt::Taken => return Err(taken(path)),
            // Without locks nobody knows whether its process still runs.
            Attempt::Unknown(_) => {}
        }
    }
    Ok(())
}

/// The leftovers in `folder`: each with its path, the path that it was for, and its kind.
fn leftovers(folder: &Path) -> Result<Vec<(PathBuf, PathBuf, &'static str)>> {
    let mut found = Vec::new();
    for item in if_there(folder, fs::read_dir(folder))?.into_iter().flatten() {
        let item = item.map_err(|source| Error::io(folder, source))?;
        if let Some((original, kind)) = item.file_name().to_str().and_then(leftover) {
            found.push((item.path(), folder.join(original), kind));
        }
    }
    Ok(found)
}

/// Splits `<name>.tmp-<process>-<letters>` or `<name>.old-<process>-<number>` into name and kind.
fn leftover(name: &str) -> Option<(&str, &'static str)> {
    let (original, suffix) = name.rsplit_once('.')?;
    let mut parts = suffix.split('-');
    let (kind, process, letters) = (parts.next()?, parts.next()?, parts.next()?);
    let all = |text: &str, kind: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(kind);
    // A replaced folder never has letters here, but a folder of the user may: `run.old-2024-final`.
    let (kind, ours) = match kind {
        BUILDING => (BUILDING, all(letters, u8::is_ascii_alphanumeric)),
        REPLACED => (REPLACED, all(letters, u8::is_ascii_digit)),
        _ => return None,
    };
    let ours = ours && all(process, u8::is_ascii_digit);
    (ours && parts.next().is_none() && !original.is_empty()).then_some((original, kind))
}

/// Removes a file, a link or a whole folder.
pub(super) fn remove(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).map(|metadata| metadata.is_dir());
    let removed = match is_folder {
        Ok(true) => fs::remove_dir_all(path),
        Ok(false) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.map_err(|source| Error::io(path, source))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{verify_manifest, write_dir_atomic};
    use super::*;
    use crate::files::names;

    #[test]
    fn leftovers_of_a_killed_process_go_and_everything_else_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        for name in ["step-3.tmp-12-0", "step-2", "step-2.old-12-1", "notes.tmp-mine", "run.old-2024-final"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::write(folder.join("metrics.jsonl.tmp-12-aB7x"), "").unwrap();
        fs::write(folder.join("step-3.tmp-12-0/half"), "").unwrap();
        let removed = remove_leftovers(folder).unwrap();
        assert_eq!(removed.len(), 3);
        assert_eq!(names(folder), ["notes.tmp-mine", "run.old-2024-final", "step-2"]);
    }

    #[test]
    fn half_built_files_of_other_names_stay() {
        let root = tempfile::tempdir().unwrap();
        for name in ["best.tmp-12-aB7x", "notes.tmp-12-aB7x", "best"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        remove_half_built(root.path(), &["best"]).unwrap();
        assert_eq!(names(root.path()), ["best", "notes.tmp-12-aB7x"]);
    }

    #[test]
    fn a_folder_whose_replacement_was_cut_short_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("step-10");
        write_dir_atomic(&path, |folder| {
            fs::write(folder.join("weights"), "old").unwrap();
            Ok(())
        })
        .unwrap();
        fs::rename(&path, root.path().join("step-10.old-12-1")).unwrap();
        fs::create_dir(root.path().join("step-10.tmp-12-0")).unwrap();
        remove_leftovers(root.path()).unwrap();
        assert_eq!(names(root.path()), ["step-10"]);
        verify_manifest(&path).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_leftovers() {
        let root = tempfile::tempdir().unwrap();
        assert!(remove_leftovers(root.path().join("none")).unwrap().is_empty());
    }
}
