//! Compares files with the manifest that lists them.

use std::fs;
use std::path::Path;

use super::entry::{FileEntry, read_parts};
use super::{MANIFEST, Manifest};
use crate::{Error, parent};

/// How many folders above a file are asked for a manifest: `base/model.safetensors` is listed by the folder that holds `base`.
const FOLDERS_ABOVE: usize = 2;

/// Checks every file that the manifest of `folder` lists, and returns the manifest. Files that it does not list are ignored.
///
/// # Errors
/// [`Error`] naming the first file, in the order of the names, that is missing or whose size or SHA-256 differs; the errors of
/// [`Manifest::read`].
pub fn verify_manifest(folder: impl AsRef<Path>) -> Result<Manifest, Error> {
    let folder = folder.as_ref();
    let manifest = Manifest::read(folder)?;
    for (name, expected) in &manifest.files {
        let path = folder.join(name);
        if !path.exists() {
            return Err(Error::malformed(&path, format!("missing, but listed in {MANIFEST}")));
        }
        if let Some(reason) = expected.refusal(&FileEntry::of_file(&path)?) {
            return Err(Error::malformed(&path, reason));
        }
    }
    Ok(manifest)
}

/// Checks the file at `path` if a manifest lists it: that of its own folder or, if it has none, of a folder above. Length and
/// CRC-32C are compared. A file that no manifest lists is not checked.
///
/// # Errors
/// [`Error`] naming the file if it differs, or the manifest if that is damaged.
pub fn check_listed(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let Some(entry) = entry_of(path)? else { return Ok(()) };
    crate::check_file(path)?;
    let mut crc = 0;
    let bytes = read_parts(path, |part| crc = crc32c::crc32c_append(crc, part))?;
    compare(path, &entry, bytes, crc)
}

/// Reads the file at `path`, checked as by [`check_listed`].
///
/// # Errors
/// As [`check_listed`], or if the file cannot be read.
pub fn read_listed(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| Error::new(path, source))?;
    if let Some(entry) = entry_of(path)? {
        // A pointer of Git LFS is called that, not damaged.
        crate::check_contents(path, &bytes)?;
        compare(path, &entry, bytes.len() as u64, crc32c::crc32c(&bytes))?;
    }
    Ok(bytes)
}

fn compare(path: &Path, entry: &FileEntry, bytes: u64, crc: u32) -> Result<(), Error> {
    entry.crc_refusal(bytes, crc).map_or(Ok(()), |reason| Err(refuse(path, &reason)))
}

/// The error for a file that is not the listed one.
pub(super) fn refuse(path: &Path, reason: &str) -> Error {
    let reason = format!(
        "{reason}. The file was damaged or changed after it was written. Restore it; or, if the change is intended, remove its \
         entry from {MANIFEST}"
    );
    Error::malformed(path, reason)
}

/// What the nearest manifest says of the file at `path`, if it has a CRC to compare.
pub(super) fn entry_of(path: &Path) -> Result<Option<FileEntry>, Error> {
    let (mut folder, mut name) = (parent(path), String::new());
    let Some(last) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    name.push_str(last);
    for _ in 0..=FOLDERS_ABOVE {
        if let Some(mut manifest) = Manifest::find(folder)? {
            return Ok(manifest.files.remove(&name).filter(FileEntry::has_crc));
        }
        let Some(above) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
        name = format!("{above}/{name}");
        folder = parent(folder);
    }
    Ok(None)
}
