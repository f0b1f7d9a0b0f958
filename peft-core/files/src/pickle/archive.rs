//! The zip archive that `torch.save` writes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::reason::Reason;
use crate::Error;

/// The entry that describes the tensors.
const PROGRAM: &str = "data.pkl";
/// The largest such entry. A large model has some thousand tensors, of a few hundred bytes each here.
const LARGEST_PROGRAM: u64 = 16 << 20;
/// Memory that tensors may use beyond the size of the file.
const SPARE_BYTES: usize = 32 << 20;
/// Tensors may use so many times the size of the file, because views of one storage may overlap.
const TIMES_THE_FILE: usize = 2;

/// An open checkpoint.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The bytes of the file that no entry has claimed yet.
    left: u64,
    length: u64,
    /// The path of [`PROGRAM`] in the archive, without its name.
    folder: String,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::new(path, source))?;
        let length = file.metadata().map_err(|source| Error::new(path, source))?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| match error {
            ZipError::Io(source) => Error::new(path, source),
            other => Error::malformed(path, format!("not a PyTorch checkpoint: {other}{}", old(path))),
        })?;
        let mut names = zip.file_names().filter_map(Result::ok);
        let folder = names.find_map(|name| {
            let folder = name.strip_suffix(PROGRAM)?;
            (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_owned())
        });
        let folder = folder.ok_or_else(|| Error::malformed(path, "not a PyTorch checkpoint: no data.pkl in it"))?;
        drop(names);
        Ok(Self { zip, left: length, length, folder })
    }

    /// The pickle that describes the tensors.
    pub(super) fn program(&mut self) -> Result<Vec<u8>, Reason> {
        let order = self.folder.clone() + "byteorder";
        if self.zip.index_for_name(&order).is_some() && self.entry(&order, LARGEST_PROGRAM)? != b"little" {
            return Err("its numbers are not little-endian".to_owned());
        }
        self.entry(&(self.folder.clone() + PROGRAM), LARGEST_PROGRAM)
    }

    /// The bytes of a storage.
    pub(super) fn storage(&mut self, key: &str) -> Result<Vec<u8>, Reason> {
        self.entry(&format!("{}data/{key}", self.folder), self.length)
    }

    /// How many bytes all tensors together may have.
    pub(super) fn most_bytes(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).saturating_mul(TIMES_THE_FILE).saturating_add(SPARE_BYTES)
    }

    fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>, Reason> {
        let damaged = |error: &dyn std::fmt::Display| format!("damaged: {name}: {error}");
        let mut entry = self.zip.by_name(name).map_err(|error| damaged(&error))?;
        // Entries are not compressed, so what all of them hold is no more than the file.
        let size = entry.size();
        self.left = self.left.checked_sub(size).ok_or_else(|| damaged(&"it is larger than the file"))?;
        if size > most {
            return Err(damaged(&format!("{size} bytes, at most {most}")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // One byte more than there should be, so that the checksum is compared.
        entry.by_ref().take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        match u64::try_from(bytes.len()) == Ok(size) {
            true => Ok(bytes),
            false => Err(damaged(&format!("{} bytes of {size}", bytes.len()))),
        }
    }
}

/// What to do about the format of PyTorch 1.5 and older.
fn old(path: &Path) -> &'static str {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read.is_ok() && start == [0x80, 0x02] {
        true => "; PyTorch before 1.6 wrote this format: load it in Python and save it again",
        false => "",
    }
}
