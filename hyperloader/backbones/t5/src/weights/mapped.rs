//! Safetensors files that are mapped into memory and checked where they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use memmap2::Mmap;
use peft_files::{MappedChecks, not_safetensors};
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorView};

use crate::error::{Error, Result};

/// The bytes before the header, which hold its length.
const LENGTH: usize = 8;

/// Safetensors files. A tensor that several of them hold is that of the last one.
pub(super) struct Mapped {
    files: Vec<MappedFile>,
    /// Which file holds which tensor.
    of: BTreeMap<String, usize>,
}

struct MappedFile {
    path: PathBuf,
    map: Mmap,
    metadata: Metadata,
    /// Where the data begin that the offsets in `metadata` count from.
    data: usize,
    checks: MappedChecks,
}

impl Mapped {
    /// Maps the files at `paths`: a checkpoint larger than the free memory loads, and the pages are shared between processes.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be read, or that is damaged at its start.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let files = paths.iter().map(|path| MappedFile::open(path.clone())).collect::<Result<Vec<_>>>()?;
        let names = |file: &MappedFile| file.metadata.tensors().into_keys().collect::<Vec<_>>();
        let of =
            files.iter().enumerate().flat_map(|(number, file)| names(file).into_iter().map(move |name| (name, number)));
        Ok(Self { of: of.collect(), files })
    }

    /// Whether there is a tensor called `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.of.contains_key(name)
    }

    /// The tensor called `name`. Its bytes are to be [checked](Self::check) before they are used.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is none.
    pub(super) fn get(&self, name: &str) -> Result<TensorView<'_>> {
        let view = self.of.get(name).and_then(|number| self.files.get(*number)?.view(name));
        view.ok_or_else(|| Error::Mismatch(format!("there is no tensor {name:?}")))
    }

    /// All tensors, as [`get`](Self::get) gives them.
    pub(super) fn tensors(&self) -> Vec<(String, TensorView<'_>)> {
        let names = self.of.iter();
        names.filter_map(|(name, number)| Some((name.clone(), self.files.get(*number)?.view(name)?))).collect()
    }

    /// Checks `bytes`, which are a part of a tensor of these files, against the manifest of their folder, if there is one.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that was changed after it was written.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<()> {
        let at = |file: &MappedFile| bytes.as_ptr().addr().checked_sub(file.map.as_ptr().addr());
        let found = self.files.iter().find_map(|file| Some((file, at(file).filter(|at| *at < file.map.len())?)));
        let Some((file, start)) = found else { return Ok(()) };
        Ok(file.checks.check(&file.map, start..start + bytes.len())?)
    }
}

impl MappedFile {
    fn open(path: PathBuf) -> Result<Self> {
        let map = File::open(&path).and_then(|file| map(&file)).map_err(|e| Error::io(&path, e))?;
        let checks = MappedChecks::new(&path, &map)?;
        // The header's length is in the first block.
        checks.check(&map, 0..LENGTH)?;
        let malformed = |error| Error::malformed(&path, not_safetensors(&error));
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(malformed)?;
        checks.check(&map, 0..LENGTH + header)?;
        Ok(Self { data: LENGTH + header, path, map, metadata, checks })
    }

    fn view(&self, name: &str) -> Option<TensorView<'_>> {
        let info = self.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        let bytes = self.map.get(self.data + start..self.data + end)?;
        TensorView::new(info.dtype, info.shape.clone(), bytes).ok()
    }
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| &file.path)).finish()
    }
}

#[allow(unsafe_code, reason = "a memory map cannot be made safely: another process could change the file")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this crate, and every tensor is copied out of it. Its bytes change only
    // if someone truncates or rewrites the file in place meanwhile; checkpoints are written to a temporary file and renamed.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::super::Weights;
    use crate::testing::tiny;
    use crate::{T5, T5Config, save_backbone};

    const FILE: &str = "model.safetensors";

    #[test]
    fn damage_is_refused_by_name_where_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let config = T5Config { vocab_size: 20_000, ..tiny() };
        save_backbone(&T5::random(&config, 1).unwrap(), folder.path()).unwrap();
        peft_files::list_files(folder.path(), &[FILE]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > 1 << 20, "{} bytes are checked at once", bytes.len());
        let table = |ids: &[u32]| {
            let (_, table) = Weights::open(folder.path())?.leave_table(&config, &Device::Cpu)?;
            table.unwrap().rows(ids)
        };
        for at in [3, 30, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 16;
            std::fs::write(&path, damaged).unwrap();
            let message = T5::from_folder(folder.path(), &Device::Cpu).unwrap_err().to_string();
            assert!(message.contains("model.safetensors: CRC-32C of block at byte"), "{message}");
            let one_by_one = Weights::open(folder.path())
                .and_then(|weights| T5::new(&config, weights.var_builder(DType::F32, &Device::Cpu)).map(drop));
            let message = one_by_one.unwrap_err().to_string();
            assert!(message.contains("model.safetensors: CRC-32C"), "{message}");
            let int8 = Weights::open(folder.path()).and_then(|w| w.prefetch(DType::U8, &Device::Cpu).finish());
            assert!(int8.is_err());
        }
        let row = |id: u32| {
            let row = T5::random(&config, 1).unwrap().tensors().unwrap()["shared.weight"].get(id as usize).unwrap();
            row.to_vec1::<f32>().unwrap().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
        };
        let wanted = row(15_000);
        let at = bytes.windows(wanted.len()).position(|window| *window == wanted).unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        table(&[3, 100]).unwrap();
        assert!(table(&[3, 15_000]).unwrap_err().to_string().contains("model.safetensors"));
        std::fs::write(&path, bytes).unwrap();
        table(&[3, 15_000]).unwrap();
        T5::from_folder(folder.path(), &Device::Cpu).unwrap();
    }
}
