//! The list of a folder's files with their checksums.
//!
//! - [`Manifest`]: the list, and [`verify_manifest`], which checks all of it.
//! - [`check_listed`], [`read_listed`]: check one file while it is read, if a manifest lists it.
//! - [`MappedChecks`]: check a long file that is mapped into memory, where it is read.
//! - [`write_listed`], [`commit_listed`], [`list_files`]: keep the list true while single files are replaced.

mod blocks;
mod check;
mod entry;
mod keep;
mod mapped;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::Error;

pub use check::{check_listed, read_listed, verify_manifest};
pub use entry::FileEntry;
pub use keep::{commit_listed, list_files, write_listed};
pub use mapped::MappedChecks;

/// The name of the manifest in its folder.
pub const MANIFEST: &str = "manifest.json";

const VERSION: u32 = 1;

/// The content of a folder: files below it, never the manifest itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The layout of this file: 1.
    pub version: u32,
    /// Files by path below the folder, with `/` between the parts.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// Hashes every regular file below `folder` except the manifest itself.
    ///
    /// # Errors
    /// [`Error`] naming what cannot be read, a link or a device, or a name that is not Unicode.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)?;
        Ok(Self { version: VERSION, files })
    }

    /// Reads the manifest of `folder`.
    ///
    /// # Errors
    /// [`Error`] if there is no manifest, if it has another version, or names a file outside the folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let bytes = fs::read(&path).map_err(|source| Error::new(&path, source))?;
        parse(&path, &bytes)
    }

    /// The manifest of `folder`, if there is one. A `manifest.json` of another program, which has no `files` with a `version`,
    /// is none.
    ///
    /// # Errors
    /// [`Error`] naming the manifest if it is damaged.
    pub fn find(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(source) => return Err(Error::new(&path, source)),
        };
        match parse(&path, &bytes) {
            Err(_) if is_foreign(&bytes) => Ok(None),
            parsed => parsed.map(Some),
        }
    }

    /// Writes it into `folder`.
    ///
    /// # Errors
    /// [`Error`] naming the manifest.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        crate::write_atomic(folder.join(MANIFEST), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            std::io::Write::write_all(file, b"\n")
        })
    }

    /// A manifest that lists nothing.
    fn empty() -> Self {
        Self { version: VERSION, files: BTreeMap::new() }
    }
}

/// Whether `bytes` are valid JSON, but no manifest of this program.
fn is_foreign(bytes: &[u8]) -> bool {
    let json = serde_json::from_slice::<serde_json::Value>(bytes);
    json.is_ok_and(|json| !json["files"].is_object() || !json["version"].is_number())
}

/// Whether the operating system says that there is no such file.
fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, Error> {
    crate::check_contents(path, bytes)?;
    let text = crate::text_of(path, bytes.to_vec());
    let parsed = text.and_then(|text| crate::parse_json(path, &text));
    let manifest: Manifest = parsed.map_err(|Error { path, source }| {
        let reason = format!(
            "no manifest of this program, or a damaged one: {source}; restore it, or remove it to go without checks"
        );
        Error::malformed(path, reason)
    })?;
    if manifest.version != VERSION {
        let reason = format!("manifest version {}; this program reads {VERSION}", manifest.version);
        return Err(Error::malformed(path, reason));
    }
    let inside = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(name) = manifest.files.keys().find(|name| !inside(name)) {
        return Err(Error::malformed(path, format!("{name:?} is not a path below the folder")));
    }
    Ok(manifest)
}

/// Adds all files of `folder` to `files`, their names after `prefix`.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileEntry>) -> Result<(), Error> {
    for item in fs::read_dir(folder).map_err(|source| Error::new(folder, source))? {
        let item = item.map_err(|source| Error::new(folder, source))?;
        let path = item.path();
        let Ok(name) = item.file_name().into_string() else {
            return Err(Error::malformed(&path, "the file name is not Unicode"));
        };
        let name = format!("{prefix}{name}");
        let kind = item.file_type().map_err(|source| Error::new(&path, source))?;
        if kind.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if !kind.is_file() {
            return Err(Error::malformed(&path, "only regular files and folders belong here"));
        } else if name != MANIFEST {
            files.insert(name, FileEntry::of_file(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
