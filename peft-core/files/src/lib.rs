//! Writes files atomically: after a crash, a full disk or a failed write, a reader finds the old content or the new content,
//! never a part of it.
//!
//! [`write_atomic`] writes to a temporary file in the same folder, makes the bytes reach the disk, and renames the file to
//! its final name. Of a symbolic link it replaces the target. Pipes and devices cannot be replaced, so it writes to them
//! directly. The feature `tensors` adds `save_tensors` and `load_tensors`, for candle's tensors in safetensors files, and
//! `load_pickle`, which reads PyTorch checkpoints.
//!
//! ```
//! # use std::io::Write;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("scores.txt");
//! peft_files::write_atomic(&path, |file| writeln!(file, "f1 = {}", 0.9))?;
//! assert_eq!(std::fs::read_to_string(&path)?, "f1 = 0.9\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

#[cfg(feature = "tensors")]
mod pickle;
#[cfg(feature = "tensors")]
mod tensors;

#[cfg(feature = "tensors")]
pub use pickle::load_pickle;
#[cfg(feature = "tensors")]
pub use tensors::{PYTORCH, is_possible, load_tensors, save_tensors};

/// The program of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The start of the names of temporary files and folders for `path`: `<name>.<kind>-<process>-`. Random letters follow.
///
/// # Errors
/// If `path` does not end in a name.
pub fn temporary_prefix(path: &Path, kind: &str) -> io::Result<OsString> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a name"));
    };
    let mut prefix = OsString::from(name);
    prefix.push(format!(".{kind}-{}-", std::process::id()));
    Ok(prefix)
}

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct Error {
    /// The file or folder, as the caller named it.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl Error {
    /// The operating system's error `source` at `path`.
    pub fn new(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self { path: path.as_ref().to_path_buf(), source }
    }

    /// The file at `path` does not hold what it should, or cannot hold what it should.
    pub fn malformed(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::new(path, io::Error::new(io::ErrorKind::InvalidData, reason.into()))
    }
}

/// Writes the file at `path` with `write`, and returns what `write` returned.
///
/// The new file has the permissions of the one that it replaces. If `write` fails, the temporary file is removed and an
/// older file at `path` stays as it was. A killed process leaves `<name>.tmp-<process>-<letters>` in the folder.
///
/// # Errors
/// [`Error`] naming `path`.
pub fn write_atomic<T>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, Error> {
    let path = path.as_ref();
    let result = match fs::metadata(path) {
        Ok(found) if found.is_file() => replace(path, Some(found.permissions()), write),
        Ok(found) if found.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder, not a file")),
        Ok(_) => {
            OpenOptions::new().write(true).open(path).and_then(|file| write_to(file, write)).map(|(value, _)| value)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(path, None, write),
        Err(error) => Err(error),
    };
    result.map_err(|source| Error::new(path, source))
}

/// [`write_atomic`] for a library that opens the file itself: `write` gets the path of the temporary file.
/// A pipe or a device cannot be written in this way.
///
/// # Errors
/// [`Error`] naming `path`.
#[cfg(feature = "tensors")]
fn write_file_atomic<T>(path: &Path, write: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, Error> {
    let found = fs::metadata(path).ok();
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file");
        return Err(Error::new(path, source));
    }
    let replaced = target(path).and_then(|path| {
        let temporary = temporary(&path)?;
        let usual = temporary.as_file().metadata()?.permissions();
        let permissions = found.map_or(usual, |found| found.permissions());
        let value = write(temporary.path())?;
        // The library may have renamed a file of its own over the temporary one, so the first handle is not used again.
        let (_, name) = temporary.into_parts();
        let written = OpenOptions::new().write(true).open(&name)?;
        persist(NamedTempFile::from_parts(written, name), &path, Some(permissions))?;
        Ok(value)
    });
    replaced.map_err(|source| Error::new(path, source))
}

fn replace<T>(
    path: &Path,
    permissions: Option<fs::Permissions>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let path = target(path)?;
    let (file, name) = temporary(&path)?.into_parts();
    let (value, file) = write_to(file, write)?;
    persist(NamedTempFile::from_parts(file, name), &path, permissions)?;
    Ok(value)
}

fn persist(temporary: NamedTempFile, path: &Path, permissions: Option<fs::Permissions>) -> io::Result<()> {
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions)?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    sync_folder(parent(path))
}

fn write_to<T>(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<(T, File)> {
    let mut file = BufWriter::new(file);
    let value = write(&mut file)?;
    Ok((value, file.into_inner().map_err(io::IntoInnerError::into_error)?))
}

/// The file that `path` means: itself or, if it is a symbolic link, its target, which need not exist.
fn target(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = parent(&path).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// A new empty file in the folder of `path`, with the permissions that files usually get.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(path, "tmp")?;
    let mut builder = Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent(path))
}

/// The folder of `path`, which is `.` for a bare name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs a folder to disk: a rename in it survives a power cut only after that.
///
/// # Errors
/// As the operating system's.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Does nothing: on this system a folder cannot be opened as a file.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
