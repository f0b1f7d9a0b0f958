//! Folders: their parents, their sync, and making them so that a failure leaves none of them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// The folder of `path`, which is `.` for a bare name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs a folder to disk: a rename in it survives a power cut only after that.
///
/// Some file systems cannot sync a folder, and a folder that may only be written cannot be opened. Neither is an error, because
/// the files of the folder are in their places by then.
///
/// # Errors
/// As the operating system's.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Does nothing: on this system a folder cannot be opened as a file.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Folders that [`create_folders`] made. They are removed when this value is dropped, as far as they are empty then, unless
/// [`keep`](Self::keep) is called.
#[derive(Debug, Default)]
#[must_use = "the folders are removed when this is dropped"]
pub struct NewFolders {
    /// The outermost folder first.
    made: Vec<PathBuf>,
}

/// Makes the folder `path` and the missing folders above it, for work that may fail.
///
/// ```
/// # let root = tempfile::tempdir()?;
/// let path = root.path().join("a/b");
/// drop(peft_files::create_folders(&path)?); // the work failed
/// assert!(!root.path().join("a").exists());
/// peft_files::create_folders(&path)?.keep();
/// assert!(path.is_dir());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error`] naming the folder that cannot be made.
pub fn create_folders(path: impl AsRef<Path>) -> Result<NewFolders, Error> {
    let path = path.as_ref();
    let missing = path.ancestors().filter(|above| !above.as_os_str().is_empty()).take_while(|above| !above.is_dir());
    let missing: Vec<&Path> = missing.collect();
    let mut folders = NewFolders::default();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => folders.made.push(folder.to_path_buf()),
            // Another process was faster, so the folder is not ours to remove.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let reason = "this is a file, and a folder is needed here; move it away, or name another folder";
                return Err(Error::new(folder, io::Error::new(io::ErrorKind::NotADirectory, reason)));
            }
            Err(source) => return Err(Error::new(folder, source)),
        }
    }
    Ok(folders)
}

impl NewFolders {
    /// Keeps the folders, and makes their names reach the disk as far as the system can.
    pub fn keep(mut self) {
        for folder in std::mem::take(&mut self.made) {
            let _ = sync_folder(parent(&folder));
        }
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // Only an empty folder is removed. One that is not empty holds someone's work.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
