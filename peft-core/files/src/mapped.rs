//! Safetensors files that are mapped into memory and checked where they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorView};

use crate::model_folder::model_files;
use crate::{Error, MappedChecks, check_file, is_possible, not_safetensors};

/// The bytes before the header, which hold its length.
const LENGTH: usize = 8;

/// Safetensors files, mapped into memory: a checkpoint larger than the free memory loads, and processes share its pages. A tensor
/// that several files hold is that of the last one.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_files::{MappedTensors, save_tensors};
///
/// let folder = tempfile::tempdir()?;
/// let tensors = [("up.weight".to_owned(), Tensor::ones((2, 3), DType::F32, &Device::Cpu)?)].into();
/// save_tensors(folder.path().join("model.safetensors"), &tensors, None)?;
///
/// // For any model that takes its weights from a `VarBuilder`.
/// let vb = MappedTensors::open_folder(folder.path())?.var_builder(DType::F32, &Device::Cpu);
/// assert_eq!(vb.pp("up").get((2, 3), "weight")?.dims(), [2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedTensors {
    /// The folder, or the first of the files: what an error about a missing tensor names.
    place: PathBuf,
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

impl MappedTensors {
    /// Maps `model.safetensors` of a model's folder, or all the files that its `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// [`Error`] naming the folder if it has neither (of the kind [`NotFound`](std::io::ErrorKind::NotFound)); naming the file
    /// that does not hold what it should.
    pub fn open_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let files = Self::open(&model_files(folder)?)?;
        Ok(Self { place: folder.to_path_buf(), ..files })
    }

    /// Maps the files at `paths`.
    ///
    /// # Errors
    /// [`Error`] naming the file that cannot be read, or that is damaged at its start.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let files = paths.iter().map(|path| MappedFile::open(path.clone())).collect::<Result<Vec<_>, _>>()?;
        let names = |file: &MappedFile| file.metadata.tensors().into_keys().collect::<Vec<_>>();
        let of =
            files.iter().enumerate().flat_map(|(number, file)| names(file).into_iter().map(move |name| (name, number)));
        Ok(Self { place: paths.first().cloned().unwrap_or_default(), of: of.collect(), files })
    }

    /// The folder, or the first of the files.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Whether there is a tensor called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.of.contains_key(name)
    }

    /// The tensor called `name`, if there is one. [Check](Self::check) its bytes before you use them.
    pub fn get(&self, name: &str) -> Option<TensorView<'_>> {
        self.of.get(name).and_then(|number| self.files.get(*number)?.view(name))
    }

    /// All tensors, as [`get`](Self::get) gives them.
    pub fn tensors(&self) -> Vec<(String, TensorView<'_>)> {
        self.of.keys().filter_map(|name| Some((name.clone(), self.get(name)?))).collect()
    }

    /// Checks `bytes`, which are a part of a tensor of these files, against the manifest of their folder, if there is one.
    ///
    /// # Errors
    /// [`Error`] naming the file that was changed after it was written.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        let at = |file: &MappedFile| bytes.as_ptr().addr().checked_sub(file.map.as_ptr().addr());
        let found = self.files.iter().find_map(|file| Some((file, at(file).filter(|at| *at < file.map.len())?)));
        let Some((file, start)) = found else { return Ok(()) };
        file.checks.check(&file.map, start..start + bytes.len())
    }

    /// The tensor called `name`, checked and copied out of its file onto the CPU, in its own type.
    ///
    /// # Errors
    /// [`Error`] if there is none, if its file was changed after it was written, or if candle lacks its type.
    pub fn load(&self, name: &str) -> Result<Tensor, Error> {
        let missing = || Error::malformed(&self.place, format!("missing weights: {name}"));
        let view = self.get(name).ok_or_else(missing)?;
        self.check(view.data())?;
        view.load(&Device::Cpu).map_err(|error| Error::malformed(&self.place, format!("tensor {name:?}: {error}")))
    }
}

impl MappedFile {
    fn open(path: PathBuf) -> Result<Self, Error> {
        check_file(&path)?;
        let map = File::open(&path).and_then(|file| map(&file)).map_err(|e| Error::new(&path, e))?;
        let checks = MappedChecks::new(&path, &map)?;
        // The header's length is in the first block.
        checks.check(&map, 0..LENGTH)?;
        let malformed = |error| Error::malformed(&path, not_safetensors(&error));
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(malformed)?;
        checks.check(&map, 0..LENGTH + header)?;
        if let Some((name, info)) = metadata.tensors().into_iter().find(|(_, info)| !is_possible(&info.shape)) {
            return Err(Error::malformed(path, format!("tensor {name:?}: impossible shape {:?}", info.shape)));
        }
        Ok(Self { data: LENGTH + header, path, map, metadata, checks })
    }

    fn view(&self, name: &str) -> Option<TensorView<'_>> {
        let info = self.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        let bytes = self.map.get(self.data + start..self.data + end)?;
        TensorView::new(info.dtype, info.shape.clone(), bytes).ok()
    }
}

impl std::fmt::Debug for MappedTensors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| &file.path)).finish()
    }
}

#[allow(unsafe_code, reason = "a memory map cannot be made safely: another process could change the file")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only, and every tensor is copied out of it. Its bytes change only if someone truncates or rewrites
    // the file in place meanwhile; checkpoints are written to a temporary file and renamed.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::save_tensors;

    fn tensors(names: &[&str]) -> BTreeMap<String, Tensor> {
        let one =
            |(n, name): (usize, &&str)| ((*name).to_owned(), Tensor::full(n as f32, (2, 3), &Device::Cpu).unwrap());
        names.iter().enumerate().map(one).collect()
    }

    fn first(tensor: &Tensor) -> f32 {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
    }

    #[test]
    fn a_folder_is_one_file_or_the_files_of_its_index() {
        let folder = tempfile::tempdir().unwrap();
        let missing = MappedTensors::open_folder(folder.path()).unwrap_err();
        assert_eq!(missing.source.kind(), std::io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("there is no model.safetensors and no "), "{missing}");
        std::fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
        let pickled = MappedTensors::open_folder(folder.path()).unwrap_err().to_string();
        assert!(pickled.contains("pytorch_model.bin must be converted first"), "{pickled}");

        save_tensors(folder.path().join("one.safetensors"), &tensors(&["a", "b"]), None).unwrap();
        save_tensors(folder.path().join("two.safetensors"), &tensors(&["c"]), None).unwrap();
        let index = folder.path().join("model.safetensors.index.json");
        let map = |last: &str| {
            format!(r#"{{"weight_map": {{"a": "one.safetensors", "b": "one.safetensors", "c": "{last}"}}}}"#)
        };
        std::fs::write(&index, map("two.safetensors")).unwrap();
        let sharded = MappedTensors::open_folder(folder.path()).unwrap();
        assert_eq!(["a", "b", "c"].map(|name| first(&sharded.load(name).unwrap())), [0., 1., 0.]);
        std::fs::write(&index, map("../two.safetensors")).unwrap();
        let outside = MappedTensors::open_folder(folder.path()).unwrap_err().to_string();
        assert!(outside.contains("is not the name of a file in this folder"), "{outside}");

        save_tensors(folder.path().join("model.safetensors"), &tensors(&["x", "a"]), None).unwrap();
        let whole = MappedTensors::open_folder(folder.path()).unwrap();
        assert_eq!((first(&whole.load("a").unwrap()), whole.has("c")), (1., false));
    }

    #[test]
    fn what_a_model_asks_for_in_vain_is_named_with_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        save_tensors(folder.path().join("model.safetensors"), &tensors(&["up.weight"]), None).unwrap();
        let vb = MappedTensors::open_folder(folder.path()).unwrap().var_builder(DType::BF16, &Device::Cpu);
        assert_eq!(vb.get((2, 3), "up.weight").unwrap().dtype(), DType::BF16);
        let place = folder.path().display().to_string();
        for (name, expected) in [
            ("up.weight", "up.weight: expected shape [3, 2], found [2, 3]"),
            ("down.weight", "missing weights: down.weight"),
        ] {
            let message = vb.get((3, 2), name).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{place}: {expected}")), "{message}");
        }
    }
}
