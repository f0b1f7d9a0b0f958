//! Replaces single files of a folder that has a manifest.

use std::io::Write;
use std::path::Path;

use super::{FileEntry, Manifest};
use crate::{Error, parent, stage, write_atomic};

/// Writes `bytes` to the file at `path` as [`write_atomic`] does, and lists it in the manifest of its folder, which is created if
/// it does not exist.
///
/// At every moment the manifest accepts the file that is there: it lists the new content next to the old one until the file is
/// replaced. If the file cannot be written, both are what they were.
///
/// # Errors
/// [`Error`] naming the file or the manifest.
pub fn write_listed(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    let folder = parent(path);
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return write_atomic(path, |file| file.write_all(bytes));
    };
    let old = Manifest::find(folder)?.unwrap_or_else(Manifest::empty);
    let mut manifest = old.clone();
    let (staged, ()) = stage(path, |file| file.write_all(bytes))?;
    let new = FileEntry::of_bytes(bytes);
    let listed = manifest.files.insert(name.to_owned(), new.clone());
    // A file that is not listed may come before its manifest.
    let Some(listed) = listed.filter(|listed| *listed != new) else {
        staged.commit()?;
        return manifest.write(folder);
    };
    let mut between = manifest.clone();
    // With what was accepted itself: an earlier replacement may have been cut short.
    between.files.insert(name.to_owned(), FileEntry { before: Some(Box::new(listed)), ..new });
    between.write(folder)?;
    if let Err(error) = staged.commit() {
        // If this fails too, the manifest still accepts the old content.
        let _ = old.write(folder);
        return Err(error);
    }
    manifest.write(folder)
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

/// Removes the files `names` from the manifest of `folder`, if it lists them: they are about to be replaced by other content.
///
/// # Errors
/// [`Error`] naming the manifest.
pub fn unlist_files(folder: impl AsRef<Path>, names: &[&str]) -> Result<(), Error> {
    let folder = folder.as_ref();
    let Some(mut manifest) = Manifest::find(folder)? else { return Ok(()) };
    let before = manifest.files.len();
    names.iter().for_each(|name| drop(manifest.files.remove(*name)));
    if manifest.files.len() == before { Ok(()) } else { manifest.write(folder) }
}
