//! Replaces files of a folder that has a manifest.

use std::io::Write;
use std::path::Path;

use super::{FileEntry, Manifest};
use crate::{Error, Staged, parent, stage};

/// Writes `bytes` to the file at `path` as [`write_atomic`](crate::write_atomic) does, and lists it in the manifest of its folder,
/// which is created if it does not exist.
///
/// # Errors
/// As [`commit_listed`].
pub fn write_listed(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let (staged, ()) = stage(path, |file| file.write_all(bytes))?;
    commit_listed([staged])
}

/// Gives files of one folder that were [staged](stage) their names, and lists them in the manifest of the folder, which is created if
/// it does not exist.
///
/// At every moment the manifest accepts the files that are there: it lists the new content next to the old until all files are
/// replaced. If the first file cannot be replaced, everything is what it was.
///
/// # Errors
/// [`Error`] naming the file or the manifest.
pub fn commit_listed<const N: usize>(staged: [Staged; N]) -> Result<(), Error> {
    let Some(folder) = staged.iter().find_map(Staged::waiting_for).map(|(path, _)| parent(path).to_path_buf()) else {
        // All of it was written through, to pipes and devices.
        return staged.into_iter().try_for_each(Staged::commit);
    };
    let old = Manifest::find(&folder)?.unwrap_or_else(Manifest::empty);
    let (mut between, mut new) = (old.clone(), old.clone());
    for (path, temporary) in staged.iter().filter_map(Staged::waiting_for) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let entry = FileEntry::of_file(temporary)?;
        // With what was accepted itself: an earlier replacement may have been cut short. What is not listed is accepted anyway.
        if let Some(listed) = between.files.get_mut(name).filter(|listed| **listed != entry) {
            let before = std::mem::replace(listed, entry.clone());
            listed.before = Some(Box::new(before));
        }
        new.files.insert(name.to_owned(), entry);
    }
    if between != old {
        between.write(&folder)?;
    }
    for (number, file) in staged.into_iter().enumerate() {
        if let Err(error) = file.commit() {
            // If this fails too, or another file was replaced before, the manifest still accepts what is there.
            if number == 0 && between != old {
                let _ = old.write(&folder);
            }
            return Err(error);
        }
    }
    if new == old { Ok(()) } else { new.write(&folder) }
}

/// Lists the files `names` of `folder`, as they are on disk, in its manifest, which is created if it does not exist.
///
/// # Errors
/// [`Error`] naming the file or the manifest.
pub fn list_files(folder: impl AsRef<Path>, names: &[&str]) -> Result<(), Error> {
    let folder = folder.as_ref();
    let mut manifest = Manifest::find(folder)?.unwrap_or_else(Manifest::empty);
    for name in names {
        manifest.files.insert((*name).to_owned(), FileEntry::of_file(&folder.join(name))?);
    }
    manifest.write(folder)
}
