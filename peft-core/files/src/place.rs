//! What a path means for a file that is to be written.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::folders::parent;

/// The name that means stdout where a file is expected.
const STDOUT: &str = "-";

/// How the file of a path is written.
pub(crate) enum Place {
    /// Into this open file: stdout, a pipe, a device, or a file that another process has open.
    Through(File),
    /// By renaming a new file to this path, which is no link.
    Replace(PathBuf, Option<Metadata>),
}

impl Place {
    /// The place that `path` names.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        if is_stdout(path) {
            return Ok(Self::Through(stdout()?));
        }
        let found = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder, not a file"));
            }
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let target = target(path)?;
        let regular = found.as_ref().is_none_or(Metadata::is_file);
        match target {
            Some(target) if regular => {
                if found.is_some() {
                    // A rename would also replace a file that is protected against writing.
                    OpenOptions::new().write(true).open(&target)?;
                }
                Ok(Self::Replace(target, found))
            }
            _ => Ok(Self::Through(OpenOptions::new().write(true).truncate(regular).open(path)?)),
        }
    }
}

/// Whether writing to `path` means writing to this process's stdout: the path is `-`, or it is the file, pipe or device that
/// stdout already is (`/dev/stdout`, or the file that a shell redirects stdout to).
pub fn is_stdout(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    path == Path::new(STDOUT) || is_same(path).unwrap_or(false)
}

#[cfg(unix)]
fn is_same(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (there, ours) = (fs::metadata(path)?, stdout()?.metadata()?);
    Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino()))
}

#[cfg(not(unix))]
fn is_same(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Stdout as a file of its own, so that a thread that has locked stdout can write to it.
#[cfg(unix)]
fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// The file that `path` means: itself or, if it is a symbolic link, its target, which need not exist. `None` if the link is one of
/// the system's links to open files, such as `/dev/fd/3`: whoever has the file open would not see a replacement.
fn target(path: &Path) -> io::Result<Option<PathBuf>> {
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(link) = fs::read_link(&path) else { return Ok(Some(path)) };
        if parent(&path).canonicalize()?.starts_with("/proc") {
            return Ok(None);
        }
        path = parent(&path).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}
