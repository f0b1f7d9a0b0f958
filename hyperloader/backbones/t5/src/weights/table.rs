//! Rows of an embedding table, read from its file as they are asked for.

use std::path::PathBuf;
use std::sync::Arc;

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use peft_files::MappedTensors;
use safetensors::tensor::TensorView;

use super::files::let_go;
use crate::error::{Error, Result};

/// A matrix in a mapped file. Rows that are read do not stay in memory.
///
/// An embedding table of 32,000 words is a quarter of t5-small's weights, and labelling needs only the rows of the words that
/// occur and of the tags.
#[derive(Clone)]
pub struct TableFile {
    folder: PathBuf,
    files: Arc<MappedTensors>,
    name: String,
    dtype: DType,
    rows: usize,
    width: usize,
}

impl TableFile {
    /// The tensor `name` of `files`, which must be a matrix `shape` of floats.
    pub(super) fn new(folder: PathBuf, files: Arc<MappedTensors>, name: &str, shape: [usize; 2]) -> Result<Self> {
        let refuse = |why: String| Error::malformed(&folder, why);
        let view = files.get(name).ok_or_else(|| refuse(format!("there is no tensor {name:?}")))?;
        let dtype = DType::try_from(view.dtype()).map_err(|e| refuse(e.to_string()))?;
        let [rows, width] = shape;
        if view.shape() != shape {
            let (key, expected, found) = (name.to_owned(), shape.to_vec(), view.shape().to_vec());
            return Err(refuse(peft_core::Error::ShapeMismatch { key, expected, found }.to_string()));
        }
        Ok(Self { name: name.to_owned(), folder, files, dtype, rows, width })
    }

    /// The rows `ids`, `[n, d]`, in `f32`.
    ///
    /// # Errors
    /// If a row does not exist.
    pub(crate) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let view = self.view()?;
        let length = self.width * self.dtype.size_in_bytes();
        let mut bytes = Vec::with_capacity(ids.len() * length);
        for id in ids {
            let first = *id as usize * length;
            let row = view.data().get(first..first + length).ok_or_else(|| {
                Error::malformed(&self.folder, format!("{}: there is no row {id} of {}", self.name, self.rows))
            })?;
            self.files.check(row)?;
            bytes.extend_from_slice(row);
        }
        let_go(view.data());
        Ok(Tensor::from_raw_buffer(&bytes, self.dtype, &[ids.len(), self.width], &Device::Cpu)?.to_dtype(DType::F32)?)
    }

    fn view(&self) -> Result<TensorView<'_>> {
        let missing = || Error::malformed(&self.folder, format!("there is no tensor {:?}", self.name));
        self.files.get(&self.name).ok_or_else(missing)
    }

    /// All of it, in its own type.
    pub(crate) fn all(&self) -> Result<Tensor> {
        let view = self.view()?;
        self.files.check(view.data())?;
        let all = view.load(&Device::Cpu)?;
        let_go(view.data());
        Ok(all)
    }
}
