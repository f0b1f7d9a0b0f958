//! Files that are replaced whole.

use std::ffi::OsString;
#[cfg(feature = "tensors")]
use std::fs::OpenOptions;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::Error;
use crate::folders::{parent, sync_folder};
use crate::place::Place;

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

/// Writes the file at `path` with `write`, and returns what `write` returned.
///
/// `-` is stdout. The new file has the permissions and, if the system allows it, the owner of the one that it replaces; a file that
/// is protected against writing is not replaced. If `write` fails, the temporary file is removed and an older file at `path` stays
/// as it was. A killed process leaves `<name>.tmp-<process>-<letters>` in the folder, which the next write to `path` removes.
///
/// # Errors
/// [`Error`] naming `path`.
pub fn write_atomic<T>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, Error> {
    let (staged, value) = stage(path, write)?;
    staged.commit()?;
    Ok(value)
}

/// A new file that is written and waits to take its place: see [`stage`]. If it is dropped, nothing has changed.
#[derive(Debug)]
#[must_use = "the file takes its place only by commit"]
pub struct Staged {
    /// The file as the caller named it.
    path: PathBuf,
    /// `None` if the content was written through.
    waiting: Option<Waiting>,
}

/// A temporary file, the path that it will have, and what it replaces there.
#[derive(Debug)]
struct Waiting {
    temporary: NamedTempFile,
    target: PathBuf,
    replaced: Option<Metadata>,
}

/// Does the first half of [`write_atomic`]: `write` fills a temporary file. [`Staged::commit`] does the other half, so that several
/// files can be written before the first one takes its place.
///
/// What cannot be replaced (stdout, a pipe, a device) is written at once.
///
/// ```
/// # use std::io::Write;
/// # let folder = tempfile::tempdir()?;
/// # let path = |name| folder.path().join(name);
/// let (words, ()) = peft_files::stage(path("words"), |file| writeln!(file, "to rome"))?;
/// let (tags, ()) = peft_files::stage(path("tags"), |file| writeln!(file, "O B-city"))?;
/// assert!(!path("words").exists());
/// words.commit()?;
/// tags.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error`] naming `path`.
pub fn stage<T>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<(Staged, T), Error> {
    let path = path.as_ref();
    let staged = || match Place::of(path)? {
        Place::Through(file) => Ok((None, write_to(file, write)?.0)),
        Place::Replace(target, replaced) => {
            let (file, name) = temporary(&target)?.into_parts();
            let (value, file) = write_to(file, write)?;
            file.sync_all()?;
            let temporary = NamedTempFile::from_parts(file, name);
            Ok((Some(Waiting { temporary, target, replaced }), value))
        }
    };
    let (waiting, value) = staged().map_err(|source| Error::new(path, source))?;
    Ok((Staged { path: path.to_path_buf(), waiting }, value))
}

impl Staged {
    /// The file as the caller named it, and the temporary one; `None` if the content was written through.
    pub(crate) fn waiting_for(&self) -> Option<(&Path, &Path)> {
        Some((&self.path, self.waiting.as_ref()?.temporary.path()))
    }

    /// Gives the file its name, in one step.
    ///
    /// # Errors
    /// [`Error`] naming the file; the older file stays then.
    pub fn commit(self) -> Result<(), Error> {
        let Self { path, waiting } = self;
        waiting.map_or(Ok(()), persist).map_err(|source| Error::new(path, source))
    }
}

fn persist(Waiting { temporary, target, replaced }: Waiting) -> io::Result<()> {
    if let Some(replaced) = replaced {
        keep_owner(temporary.as_file(), &replaced);
        temporary.as_file().set_permissions(replaced.permissions())?;
        temporary.as_file().sync_all()?;
    }
    temporary.persist(&target).map_err(|failed| failed.error)?;
    sync_folder(parent(&target))
}

/// Gives `file` the owner of the file that it replaces. Only a privileged process may do that, so a failure is no error.
#[cfg(unix)]
fn keep_owner(file: &File, replaced: &Metadata) {
    use std::os::unix::fs::MetadataExt;
    let owner = |found: &Metadata| (found.uid(), found.gid());
    if file.metadata().is_ok_and(|ours| owner(&ours) != owner(replaced)) {
        let _ = std::os::unix::fs::fchown(file, Some(replaced.uid()), Some(replaced.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _replaced: &Metadata) {}

/// [`stage`] for a library that opens the file itself: `write` gets the path of the temporary file.
/// A pipe or a device cannot be written in this way.
///
/// # Errors
/// [`Error`] naming `path`.
#[cfg(feature = "tensors")]
pub(crate) fn stage_file(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<Staged, Error> {
    let staged = || match Place::of(path)? {
        Place::Through(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file")),
        Place::Replace(target, replaced) => {
            let temporary = temporary(&target)?;
            let usual = temporary.as_file().metadata()?.permissions();
            write(temporary.path())?;
            // The library may have renamed a file of its own over the temporary one, so the first handle is not used again.
            let (_, name) = temporary.into_parts();
            let written = OpenOptions::new().write(true).open(&name)?;
            written.set_permissions(usual)?;
            written.sync_all()?;
            Ok(Waiting { temporary: NamedTempFile::from_parts(written, name), target, replaced })
        }
    };
    let waiting = staged().map_err(|source| Error::new(path, source))?;
    Ok(Staged { path: path.to_path_buf(), waiting: Some(waiting) })
}

fn write_to<T>(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<(T, File)> {
    let mut file = BufWriter::new(file);
    let value = write(&mut file)?;
    Ok((value, file.into_inner().map_err(io::IntoInnerError::into_error)?))
}

/// A new empty file in the folder of `path`, with the permissions that files usually get. Earlier ones that killed processes left
/// there are removed.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(path, "tmp")?;
    let mut builder = Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    crate::abandoned::remove_abandoned(path);
    // The error of the library names the temporary file, which nobody asked for.
    let temporary = builder.tempfile_in(parent(path)).map_err(|error| error.kind())?;
    crate::abandoned::mark_as_written(temporary.as_file());
    Ok(temporary)
}
