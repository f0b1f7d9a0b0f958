//! A folder that is written atomically, with a manifest of its files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use peft_files::{MANIFEST, Manifest, NewFolders, create_folders, parent, sync_folder, temporary_prefix};

use super::leftovers::{BUILDING, REPLACED, remove, remove_abandoned};
use super::lock::FolderLock;
use super::there::if_there;
use crate::{Error, Result};

/// Fills the folder `path` through `write`, so that it exists with all its files or not at all.
///
/// `write` gets an empty folder `<name>.tmp-…` next to `path`. Its files are then hashed into a [`Manifest`] and synced, and
/// the folder is renamed to `path`, where it replaces an earlier folder. If `write` fails, the temporary folder is removed, and so
/// are the folders above it that were made for it. If the process is killed, [`remove_leftovers`](super::remove_leftovers) cleans
/// up.
///
/// # Errors
/// [`Error::Io`] naming the path; the error of `write`.
pub fn write_dir_atomic<T>(path: impl AsRef<Path>, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    let building = Building::begin(path)?;
    let value = write(building.temporary.path())?;
    building.seal()?;
    take_place(building.temporary.path(), path)?;
    building.keep();
    Ok(value)
}

/// Like [`write_dir_atomic`], for a folder that must be new: an existing file or folder at `path` is never replaced, and of two
/// processes that write to the same `path` the second is refused.
///
/// What a killed process left next to `path` is removed first.
///
/// # Errors
/// [`Error::Config`] if `path` exists or another process is writing it; otherwise as [`write_dir_atomic`].
pub fn write_new_dir<T>(path: impl AsRef<Path>, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    require_new(path)?;
    let building = Building::begin(path)?;
    let folder = building.temporary.path();
    let _lock = FolderLock::take(folder)?;
    remove_abandoned(path, folder)?;
    let value = write(folder)?;
    building.seal()?;
    require_new(path)?;
    fs::rename(folder, path).map_err(|source| Error::io(path, source))?;
    sync_folder(parent(path)).map_err(|source| Error::io(parent(path), source))?;
    building.keep();
    Ok(value)
}

/// Refuses a path that exists, be it a file, a folder or a link that points nowhere.
fn require_new(path: &Path) -> Result<()> {
    if path == Path::new("-") {
        return Err(Error::Config("-: the output is a folder, which stdout cannot hold; name a folder".to_owned()));
    }
    match if_there(path, fs::symlink_metadata(path))? {
        Some(_) => Err(Error::Config(format!("{} exists; name a folder that does not", path.display()))),
        None => Ok(()),
    }
}

/// A folder that is being built. Dropping it removes the folder, and the folders above it that were made for it.
struct Building {
    // The order counts: the fields are dropped from the first to the last.
    temporary: tempfile::TempDir,
    above: NewFolders,
}

impl Building {
    /// A new empty folder next to `path`, with the permissions that folders usually get.
    fn begin(path: &Path) -> Result<Self> {
        let prefix = temporary_prefix(path, BUILDING).map_err(|source| Error::io(path, source))?;
        let above = create_folders(parent(path))?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let temporary = builder.prefix(&prefix).tempdir_in(parent(path));
        // The error of the library names the temporary folder, which nobody asked for.
        Ok(Self { temporary: temporary.map_err(|error| Error::io(path, error.kind().into()))?, above })
    }

    /// Writes the manifest, and syncs all files.
    fn seal(&self) -> Result<()> {
        let manifest = Manifest::of(self.temporary.path())?;
        manifest.write(self.temporary.path())?;
        sync_tree(self.temporary.path(), &manifest)
    }

    /// The folder has its final name, so there is nothing left to remove.
    fn keep(self) {
        let _ = self.temporary.keep();
        self.above.keep();
    }
}

/// Renames `temporary` to `path`. An earlier folder at `path` is renamed first, and removed at the end.
fn take_place(temporary: &Path, path: &Path) -> Result<()> {
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|source| Error::io(to, source));
    let old = if_there(path, fs::symlink_metadata(path))?.map(|_| replaced_name(path)).transpose()?;
    if let Some(old) = &old {
        rename(path, old)?;
    }
    if let Err(error) = rename(temporary, path) {
        // The earlier folder is not lost: it gets its name back.
        if let Some(old) = old {
            rename(&old, path)?;
        }
        return Err(error);
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::files::names;
    use peft_files::verify_manifest;

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

    #[cfg(unix)]
    #[test]
    fn a_new_folder_replaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("model");
        for (name, make) in [("model", true), ("link", false)] {
            let path = root.path().join(name);
            if make {
                fs::create_dir(&path).unwrap();
            } else {
                std::os::unix::fs::symlink("nowhere", &path).unwrap();
            }
            let message = write_new_dir(&path, |folder| fill(folder, "new")).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("exists"), "{message}");
        }
        // Someone makes the folder while it is being built.
        fs::remove_dir(&path).unwrap();
        let late = write_new_dir(&path, |folder| {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("theirs"), "").unwrap();
            fill(folder, "new")
        });
        assert!(late.unwrap_err().to_string().contains("exists"));
        assert_eq!(names(&path), ["theirs"]);
        assert_eq!(names(root.path()), ["link", "model"]);
    }

    #[test]
    fn a_failure_removes_the_folders_that_were_made_above() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/model");
        let failed: Result<()> = write_new_dir(&path, |_| Err(Error::Training("stopped".to_owned())));
        assert_eq!(failed.unwrap_err().to_string(), "stopped");
        assert_eq!(names(root.path()), [""; 0]);
        write_new_dir(&path, |folder| fill(folder, "new")).unwrap();
        assert_eq!(names(&path), [MANIFEST, "sub", "weights"]);
    }

    #[test]
    fn the_second_process_is_refused_and_what_a_killed_one_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("model");
        for other in ["model.tmp-12-aB7x", "other.tmp-12-aB7x"] {
            fs::create_dir(root.path().join(other)).unwrap();
        }
        write_new_dir(&path, |folder| {
            let second = write_new_dir(&path, |folder| fill(folder, "second"));
            let message = second.unwrap_err().to_string();
            assert!(message.contains("another process is writing"), "{message}");
            fill(folder, "first")
        })
        .unwrap();
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "first");
        assert_eq!(names(root.path()), ["model", "other.tmp-12-aB7x"]);
    }
}
