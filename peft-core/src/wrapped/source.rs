//! Where the weights of a wrapped model come from.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use peft_files::MappedTensors;

use crate::{Error, Result};

/// What a model can take its weights from: a [`VarBuilder`] of any kind, tensors by name, or a file or folder of safetensors.
///
/// Tensors by name, files and folders are handed out as `f32`; files and folders are read to the CPU. For another type or another
/// device, give a `VarBuilder`.
///
/// | weights | type |
/// |---|---|
/// | `VarBuilder` (mapped safetensors, a `VarMap`, PyTorch or GGUF files, …) | [`VarBuilder`] |
/// | what `candle_core::safetensors::load` returns | `HashMap<String, Tensor>` |
/// | [`Backbone::parameters`](crate::Backbone::parameters), [`ParamStore::tensors`](crate::ParamStore::tensors) | `BTreeMap<String, Tensor>` |
/// | a folder with `model.safetensors`, alone or in parts with an index | `&str`, `&Path` |
/// | one safetensors file | `&str`, `&Path` |
pub trait IntoVarBuilder<'a> {
    /// The weights as a builder.
    ///
    /// # Errors
    /// [`Error::File`] if a file is missing or damaged.
    fn into_var_builder(self) -> Result<VarBuilder<'a>>;

    /// The name under which the weights can be opened again, if there is one.
    fn name(&self) -> Option<String> {
        None
    }
}

impl<'a> IntoVarBuilder<'a> for VarBuilder<'a> {
    fn into_var_builder(self) -> Result<Self> {
        Ok(self)
    }
}

impl<'a> IntoVarBuilder<'a> for HashMap<String, Tensor> {
    fn into_var_builder(self) -> Result<VarBuilder<'a>> {
        let device = self.values().next().map_or(Device::Cpu, |tensor| tensor.device().clone());
        Ok(VarBuilder::from_tensors(self, DType::F32, &device))
    }
}

impl<'a> IntoVarBuilder<'a> for BTreeMap<String, Tensor> {
    fn into_var_builder(self) -> Result<VarBuilder<'a>> {
        self.into_iter().collect::<HashMap<_, _>>().into_var_builder()
    }
}

impl<'a> IntoVarBuilder<'a> for &Path {
    fn into_var_builder(self) -> Result<VarBuilder<'a>> {
        open(self)
    }

    fn name(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

/// Other types that name a file or a folder.
macro_rules! as_path {
    ($($path:ty),+) => {
        $(impl<'a> IntoVarBuilder<'a> for $path {
            fn into_var_builder(self) -> Result<VarBuilder<'a>> {
                Path::new(&self).into_var_builder()
            }

            fn name(&self) -> Option<String> {
                IntoVarBuilder::name(&Path::new(self))
            }
        })+
    };
}

as_path!(&str, String, &PathBuf, PathBuf);

/// A folder is mapped into memory, because a backbone may have gigabytes.
fn open<'a>(path: &Path) -> Result<VarBuilder<'a>> {
    let unreadable = |error: peft_files::Error| Error::file(&error.path, peft_files::plain(&error.source));
    match path.is_dir() {
        true => Ok(MappedTensors::open_folder(path).map_err(unreadable)?.var_builder(DType::F32, &Device::Cpu)),
        false => peft_files::load_tensors(path).map_err(unreadable)?.into_var_builder(),
    }
}
