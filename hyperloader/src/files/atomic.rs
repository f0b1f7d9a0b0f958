//! One file, written beside its final place and renamed into it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Writes the file at `path` through `write`, so that a reader finds the old content or the new one and nothing
/// between: the bytes go to a temporary file beside it, reach the disk, and only then take the name.
///
/// If `write` fails, the temporary file is removed and an older file at `path` stays as it was.
///
/// ```
/// # use std::io::Write;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir();
/// # let path = folder.join(format!("write_atomic-{}.txt", std::process::id()));
/// hyperloader::files::write_atomic(&path, |file| writeln!(file, "f1 = {}", 0.9))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "f1 = 0.9\n");
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_atomic<T>(path: impl AsRef<Path>, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> Result<T> {
    let path = path.as_ref();
    let temporary = temporary_beside(path, "tmp")?;
    let result = write_and_rename(path, &temporary, write);
    if result.is_err() {
        // The first error is the one to report; a leftover is harmless.
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(|source| Error::io(path, source))
}

fn write_and_rename<T>(
    path: &Path,
    temporary: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let mut file = BufWriter::new(File::create_new(temporary)?);
    let value = write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_folder(parent(path))?;
    Ok(value)
}

/// A path in the folder of `path` that no other call of any process uses: `<name>.<kind>-<process>-<number>`.
pub(super) fn temporary_beside(path: &Path, kind: &str) -> Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a name");
        return Err(Error::io(path, source));
    };
    let mut temporary = name.to_os_string();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{kind}-{}-{number}", std::process::id()));
    Ok(path.with_file_name(temporary))
}

/// The folder of `path`, which is `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder last: a rename is on disk once its folder is.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the system keeps its own order.
#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for content in ["one", "two"] {
            write_atomic(&path, |file| file.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_content_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let failed = write_atomic(&path, |file| -> io::Result<()> {
            file.write_all(b"half of the ne")?;
            Err(io::Error::other("no space"))
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("a.txt") && message.contains("no space"), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn the_old_file_is_whole_until_the_new_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        write_atomic(&path, |file| {
            file.write_all(b"new")?;
            file.flush()?;
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            Ok(())
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_missing_folder_and_a_path_without_a_name_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomic(folder.path().join("no/such/file"), |_| Ok(())).is_err());
        assert!(write_atomic("..", |_| Ok(())).is_err());
    }
}
