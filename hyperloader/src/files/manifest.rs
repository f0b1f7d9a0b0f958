//! The list of a folder's files with their hashes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The name of the manifest in its folder.
pub const MANIFEST: &str = "manifest.json";

const VERSION: u32 = 1;

/// The content of a folder: every regular file below it except the manifest itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The layout of this file: 1.
    pub version: u32,
    /// Files by path below the folder, with `/` between the parts.
    pub files: BTreeMap<String, FileEntry>,
}

/// One file of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Hashes everything below `folder`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] for a link or a device, or for a name that is not Unicode.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)?;
        Ok(Self { version: VERSION, files })
    }

    /// Reads the manifest of `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no manifest; [`Error::Malformed`] if it has another version, or names a file outside the
    /// folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let bytes = fs::read(&path).map_err(|source| Error::io(&path, source))?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|error| Error::malformed(&path, format!("no manifest: {error}")))?;
        if manifest.version != VERSION {
            let reason = format!("manifest version {}; this program reads {VERSION}", manifest.version);
            return Err(Error::malformed(&path, reason));
        }
        let inside = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if let Some(name) = manifest.files.keys().find(|name| !inside(name)) {
            return Err(Error::malformed(&path, format!("{name:?} is not a path below the folder")));
        }
        Ok(manifest)
    }

    /// Writes it into `folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        Ok(peft_files::write_atomic(folder.join(MANIFEST), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            std::io::Write::write_all(file, b"\n")
        })?)
    }
}

/// Checks every file that the manifest of `folder` lists, and returns the manifest. Files that it does not list are
/// ignored.
///
/// # Errors
/// [`Error::Malformed`] naming the first file, in the order of the names, that is missing or whose size or hash
/// differs; the errors of [`Manifest::read`].
pub fn verify_manifest(folder: impl AsRef<Path>) -> Result<Manifest> {
    let folder = folder.as_ref();
    let manifest = Manifest::read(folder)?;
    for (name, expected) in &manifest.files {
        let path = folder.join(name);
        if !path.exists() {
            return Err(Error::malformed(&path, format!("missing, but listed in {MANIFEST}")));
        }
        let found = entry(&path)?;
        if found.bytes != expected.bytes {
            let reason = format!("{} bytes; {MANIFEST} says {}", found.bytes, expected.bytes);
            return Err(Error::malformed(&path, reason));
        }
        if found.sha256 != expected.sha256 {
            let reason = format!("SHA-256 is {}; {MANIFEST} says {}", found.sha256, expected.sha256);
            return Err(Error::malformed(&path, reason));
        }
    }
    Ok(manifest)
}

/// Adds all files of `folder` to `files`, their names after `prefix`.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileEntry>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(|source| Error::io(folder, source))? {
        let item = item.map_err(|source| Error::io(folder, source))?;
        let path = item.path();
        let Ok(name) = item.file_name().into_string() else {
            return Err(Error::malformed(&path, "the file name is not Unicode"));
        };
        let name = format!("{prefix}{name}");
        let kind = item.file_type().map_err(|source| Error::io(&path, source))?;
        if kind.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if !kind.is_file() {
            return Err(Error::malformed(&path, "only regular files and folders belong here"));
        } else if name != MANIFEST {
            files.insert(name, entry(&path)?);
        }
    }
    Ok(())
}

/// Size and hash of one file, read in blocks.
fn entry(path: &Path) -> Result<FileEntry> {
    let read = || -> std::io::Result<FileEntry> {
        let mut file = File::open(path)?;
        let mut block = vec![0; 1 << 16];
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        loop {
            let count = file.read(&mut block)?;
            let Some(read @ [_, ..]) = block.get(..count) else { break };
            hasher.update(read);
            bytes += count as u64;
        }
        Ok(FileEntry { bytes, sha256: hexadecimal(&hasher.finalize()) })
    };
    read().map_err(|source| Error::io(path, source))
}

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Manifest::of(folder.path()).unwrap().write(folder.path()).unwrap();
        folder
    }

    #[test]
    fn lists_size_and_sha256_of_every_file() {
        let folder = folder_of(&[("abc.txt", "abc"), ("sub/empty", "")]);
        let manifest = verify_manifest(folder.path()).unwrap();
        assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["abc.txt", "sub/empty"]);
        // FIPS 180-2, appendix B.1, and the hash of nothing.
        let entry = |bytes, sha256: &str| FileEntry { bytes, sha256: sha256.to_owned() };
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(manifest.files["abc.txt"], entry(3, abc));
        assert_eq!(manifest.files["sub/empty"], entry(0, empty));
    }

    #[test]
    fn names_the_file_that_changed_shrank_or_went() {
        let refusal = |change: fn(&Path)| {
            let folder = folder_of(&[("a", "same"), ("b", "content")]);
            change(&folder.path().join("b"));
            verify_manifest(folder.path()).unwrap_err().to_string()
        };
        let changed = refusal(|path| fs::write(path, "cantent").unwrap());
        assert!(changed.contains("/b: SHA-256 is"), "{changed}");
        let shrunk = refusal(|path| fs::write(path, "cont").unwrap());
        assert!(shrunk.contains("/b: 4 bytes") && shrunk.contains("says 7"), "{shrunk}");
        let gone = refusal(|path| fs::remove_file(path).unwrap());
        assert!(gone.contains("/b: missing"), "{gone}");
    }

    #[test]
    fn a_damaged_manifest_or_one_that_points_outside_is_refused() {
        let refusal = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(MANIFEST), text).unwrap();
            verify_manifest(folder.path()).unwrap_err().to_string()
        };
        assert!(refusal("{\"version\":1,").contains("manifest.json"));
        assert!(refusal("{\"version\":2,\"files\":{}}").contains("version 2"));
        let outside = "{\"version\":1,\"files\":{\"../x\":{\"bytes\":0,\"sha256\":\"\"}}}";
        assert!(refusal(outside).contains("../x"));
        assert!(matches!(verify_manifest("/no/such/folder"), Err(Error::Io { .. })));
    }
}
