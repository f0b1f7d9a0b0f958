//! A name that points at one of several folders: `best -> checkpoints/step-2000`.

use std::io;
use std::path::{Component, Path, PathBuf};

use peft_files::parent;

use super::there::if_there;
use crate::{Error, Result};

/// Makes `link` point at `target`, in one step: a reader sees the earlier target or the new one.
///
/// On Unix `link` is a symbolic link relative to its own folder, so that a run folder can be moved; elsewhere, where
/// links need privileges, it is a text file with that relative path. [`resolve_link`] reads both.
///
/// # Errors
/// [`Error::Io`] naming `link`, for example if `target` does not exist or if `link` is a folder.
pub fn update_link(link: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<()> {
    let (link, target) = (link.as_ref(), target.as_ref());
    if !target.exists() {
        let reason = format!("cannot point at {}, which does not exist", target.display());
        return Err(Error::io(link, io::Error::new(io::ErrorKind::NotFound, reason)));
    }
    let absolute = |path: &Path| path.canonicalize().map_err(|source| Error::io(path, source));
    let relative = relative(&absolute(parent(link))?, &absolute(target)?);
    replace(link, &relative)
}

#[cfg(unix)]
fn replace(link: &Path, target: &Path) -> Result<()> {
    let replace = || -> io::Result<()> {
        let prefix = peft_files::temporary_prefix(link, "tmp")?;
        peft_files::remove_abandoned(link);
        let make = |path: &Path| std::os::unix::fs::symlink(target, path);
        let temporary =
            tempfile::Builder::new().prefix(&prefix).make_in(parent(link), make).map_err(|error| error.kind())?;
        temporary.persist(link).map_err(|failed| failed.error)?;
        peft_files::sync_folder(parent(link))
    };
    replace().map_err(|source| Error::io(link, source))
}

#[cfg(not(unix))]
fn replace(link: &Path, target: &Path) -> Result<()> {
    let text = portable(target);
    Ok(peft_files::write_atomic(link, |file| io::Write::write_all(file, text.as_bytes()))?)
}

/// Where `link` points, or `None` if there is no such link.
///
/// # Errors
/// [`Error::Io`] naming `link`; [`Error::Malformed`] if it is neither a link nor a text file with a path, or if its
/// target does not exist.
pub fn resolve_link(link: impl AsRef<Path>) -> Result<Option<PathBuf>> {
    let link = link.as_ref();
    let Some(kind) = if_there(link, std::fs::symlink_metadata(link))?.map(|metadata| metadata.file_type()) else {
        return Ok(None);
    };
    let target = if kind.is_symlink() {
        std::fs::read_link(link).map_err(|source| Error::io(link, source))?
    } else if kind.is_file() {
        let bytes = std::fs::read(link).map_err(|source| Error::io(link, source))?;
        peft_files::check_contents(link, &bytes)?;
        PathBuf::from(peft_files::text_of(link, bytes)?.trim_end())
    } else {
        return Err(Error::malformed(link, "expected a link, found a folder"));
    };
    let target = parent(link).join(target);
    if target.exists() {
        return Ok(Some(target));
    }
    Err(Error::malformed(link, format!("points at {}, which does not exist", target.display())))
}

/// `target` as seen from the folder `base`; both absolute and without links.
fn relative(base: &Path, target: &Path) -> PathBuf {
    let common = base.components().zip(target.components()).take_while(|(one, other)| one == other).count();
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    up.chain(target.components().skip(common)).collect()
}

#[cfg(not(unix))]
fn portable(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    fn run() -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        for step in ["step-1", "step-2"] {
            fs::create_dir_all(run.path().join("checkpoints").join(step)).unwrap();
            fs::write(run.path().join("checkpoints").join(step).join("name"), step).unwrap();
        }
        run
    }

    fn named(target: &Path) -> String {
        fs::read_to_string(target.join("name")).unwrap()
    }

    #[test]
    fn the_link_moves_from_one_target_to_the_next() {
        let run = run();
        let link = run.path().join("best");
        assert_eq!(resolve_link(&link).unwrap(), None);
        for step in ["step-1", "step-2", "step-2"] {
            update_link(&link, run.path().join("checkpoints").join(step)).unwrap();
            assert_eq!(named(&resolve_link(&link).unwrap().unwrap()), step);
        }
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 2, "nothing is left next to it");
    }

    #[test]
    fn the_link_survives_a_move_of_the_run_folder() {
        let (run, elsewhere) = (run(), tempfile::tempdir().unwrap());
        update_link(run.path().join("best"), run.path().join("checkpoints/step-1")).unwrap();
        let moved = elsewhere.path().join("moved");
        fs::rename(run.path(), &moved).unwrap();
        assert_eq!(named(&resolve_link(moved.join("best")).unwrap().unwrap()), "step-1");
    }

    #[cfg(unix)]
    #[test]
    fn on_unix_it_is_a_relative_symbolic_link_also_upwards() {
        let run = run();
        let link = run.path().join("checkpoints/step-1/next");
        update_link(&link, run.path().join("checkpoints/step-2")).unwrap();
        assert_eq!(fs::read_link(link).unwrap(), Path::new("../step-2"));
    }

    #[test]
    fn a_text_file_with_a_path_is_a_link_too() {
        let run = run();
        let link = run.path().join("best");
        fs::write(&link, "checkpoints/step-2\n").unwrap();
        assert_eq!(named(&resolve_link(&link).unwrap().unwrap()), "step-2");
    }

    #[test]
    fn a_missing_target_and_a_folder_in_the_way_are_errors() {
        let run = run();
        let link = run.path().join("best");
        let missing = update_link(&link, run.path().join("checkpoints/step-9")).unwrap_err().to_string();
        assert!(missing.contains("step-9"), "{missing}");
        assert!(!link.exists());
        fs::write(&link, "checkpoints/step-9").unwrap();
        assert!(resolve_link(&link).unwrap_err().to_string().contains("step-9"));
        let folder = run.path().join("checkpoints");
        assert!(update_link(&folder, run.path().join("checkpoints/step-1")).is_err());
        assert!(resolve_link(&folder).is_err());
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 2, "nothing is left next to it");
    }
}
