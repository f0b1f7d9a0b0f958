//! A folder that is written atomically, with a manifest of its files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use peft_files::{parent, sync_folder, temporary_prefix};

use peft_files::{MANIFEST, Manifest};
use crate::{Error, Result};

/// Marks a folder that is being built.
const BUILDING: &str = "tmp";

/// Marks the earlier folder of the same name, between the two renames that replace it.
const REPLACED: &str = "old";

/// Fills the folder `path` through `write`, so that it exists with all its files or not at all.
///
/// `write` gets an empty folder `<name>.tmp-…` next to `path`. Its files are then hashed into a [`Manifest`] and synced, and
/// the folder is renamed to `path`, where it replaces an earlier folder. If `write` fails, the temporary folder is removed;
/// if the process is killed, [`remove_leftovers`] cleans up.
///
/// # Errors
/// [`Error::Io`] naming the path; the error of `write`.
pub fn write_dir_atomic<T>(path: impl AsRef<Path>, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    let temporary = temporary(path).map_err(|source| Error::io(path, source))?;
    let value = write(temporary.path())?;
    let manifest = Manifest::of(temporary.path())?;
    manifest.write(temporary.path())?;
    sync_tree(temporary.path(), &manifest)?;
    take_place(temporary.path(), path)?;
    // The folder has its final name, so there is nothing left to remove.
    let _ = temporary.keep();
    Ok(value)
}

/// A new empty folder next to `path`, with the permissions that folders usually get.
fn temporary(path: &Path) -> std::io::Result<tempfile::TempDir> {
    fs::create_dir_all(parent(path))?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.prefix(&temporary_prefix(path, BUILDING)?).tempdir_in(parent(path))
}

/// Renames `temporary` to `path`. An earlier folder at `path` is renamed first, and removed at the end.
fn take_place(temporary: &Path, path: &Path) -> Result<()> {
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|source| Error::io(to, source));
    let old = match fs::symlink_metadata(path) {
        Ok(_) => {
            let old = replaced_name(path)?;
            rename(path, &old)?;
            Some(old)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::io(path, source)),
    };
    rename(temporary, path)?;
    sync_folder(parent(path)).map_err(|source| Error::io(parent(path), source))?;
    match old {
        Some(old) => remove(&old),
        None => Ok(()),
    }
}

/// The name of the replaced folder. Only one process writes there, so its number makes the name free.
fn replaced_name(path: &Path) -> Result<PathBuf> {
    let mut name = temporary_prefix(path, REPLACED).map_err(|source| Error::io(path, source))?;
    name.push("0");
    Ok(path.with_file_name(name))
}

/// Syncs all files, and then the names in all folders, to the disk.
fn sync_tree(folder: &Path, manifest: &Manifest) -> Result<()> {
    let mut folders = vec![folder.to_path_buf()];
    for name in manifest.files.keys().map(String::as_str).chain([MANIFEST]) {
        let file = folder.join(name);
        File::open(&file).and_then(|open| open.sync_all()).map_err(|source| Error::io(&file, source))?;
        folders.extend(file.ancestors().skip(1).take_while(|above| *above != folder).map(Path::to_path_buf));
    }
    folders.sort();
    folders.dedup();
    folders.iter().rev().try_for_each(|folder| sync_folder(folder).map_err(|source| Error::io(folder, source)))
}

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
    let items = match fs::read_dir(folder) {
        Ok(items) => items,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io(folder, source)),
    };
    let mut found = Vec::new();
    for item in items {
        let item = item.map_err(|source| Error::io(folder, source))?;
        let name = item.file_name();
        let Some((original, kind)) = name.to_str().and_then(leftover) else { continue };
        let (path, original) = (item.path(), folder.join(original));
        if kind == REPLACED && !original.exists() {
            fs::rename(&path, &original).map_err(|source| Error::io(&path, source))?;
        } else {
            remove(&path)?;
        }
        found.push(path);
    }
    found.sort();
    Ok(found)
}

/// Splits `<name>.tmp-<process>-<letters>` or `<name>.old-<process>-<number>` into name and kind.
fn leftover(name: &str) -> Option<(&str, &str)> {
    let (original, suffix) = name.rsplit_once('.')?;
    let mut parts = suffix.split('-');
    let (kind, process, letters) = (parts.next()?, parts.next()?, parts.next()?);
    let all = |text: &str, kind: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(kind);
    // A replaced folder never has letters here, but a folder of the user may: `run.old-2024-final`.
    let ours = match kind {
        BUILDING => all(letters, u8::is_ascii_alphanumeric),
        REPLACED => all(letters, u8::is_ascii_digit),
        _ => false,
    };
    let ours = ours && all(process, u8::is_ascii_digit);
    (ours && parts.next().is_none() && !original.is_empty()).then_some((original, kind))
}

/// Removes a file, a link or a whole folder.
fn remove(path: &Path) -> Result<()> {
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
    use peft_files::verify_manifest;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let items = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn fill(folder: &Path, content: &str) -> Result<()> {
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("weights"), content).unwrap();
        fs::write(folder.join("sub/state"), "state").unwrap();
        Ok(())
    }

    #[test]
    fn a_folder_appears_whole_with_a_manifest_that_verifies() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("checkpoints/step-10");
        write_dir_atomic(&path, |folder| {
            assert!(!path.exists());
            fill(folder, "content")
        })
        .unwrap();
        assert_eq!(names(&path), [MANIFEST, "sub", "weights"]);
        assert_eq!(verify_manifest(&path).unwrap().files.len(), 2);
        assert_eq!(names(&root.path().join("checkpoints")), ["step-10"]);
    }

    #[test]
    fn writing_again_replaces_all_of_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("step-10");
        write_dir_atomic(&path, |folder| fill(folder, "old")).unwrap();
        write_dir_atomic(&path, |folder| {
            fs::write(folder.join("weights"), "new").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(names(&path), [MANIFEST, "weights"]);
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "new");
        assert_eq!(names(root.path()), ["step-10"]);
    }

    #[test]
    fn a_failure_leaves_the_earlier_folder_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("step-10");
        write_dir_atomic(&path, |folder| fill(folder, "old")).unwrap();
        let failed: Result<()> = write_dir_atomic(&path, |folder| {
            fs::write(folder.join("weights"), "half").unwrap();
            Err(Error::Training("stopped".to_owned()))
        });
        assert_eq!(failed.unwrap_err().to_string(), "stopped");
        verify_manifest(&path).unwrap();
        assert_eq!(names(root.path()), ["step-10"]);
    }

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
    fn a_folder_whose_replacement_was_cut_short_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("step-10");
        write_dir_atomic(&path, |folder| fill(folder, "old")).unwrap();
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
