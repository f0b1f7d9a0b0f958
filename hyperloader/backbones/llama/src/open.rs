//! A model from its folder, or with random weights, in one call.

use std::path::Path;

use candle_core::{DType, Device};
use peft_core::{Error, Result, random_weights};
use peft_files::MappedTensors;

use crate::config::LlamaConfig;
use crate::model::Llama;

impl Llama {
    /// The model in `folder`: its shape from `config.json` and its parameters, as numbers of the type `dtype` on `device`, from
    /// `model.safetensors` or from the files that `model.safetensors.index.json` names. The files are mapped into memory.
    ///
    /// The parameters are frozen: [`peft_core::PeftModelBuilder::train_backbone`] trains some of them.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use peft_llama::{Llama, LlamaConfig, save_backbone};
    ///
    /// let folder = std::env::temp_dir().join(format!("peft-llama-{}", std::process::id()));
    /// save_backbone(&Llama::random(&LlamaConfig::small(), 0)?, &folder)?;
    ///
    /// let llama = Llama::from_folder(&folder, DType::F32, &Device::Cpu)?;
    /// assert_eq!(llama.config(), &LlamaConfig::small());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] if a file is missing, cannot be read or does not hold what it should; an error with the name of the parameter if
    /// one is missing or has another shape than `config.json` says; as [`new`](Self::new).
    pub fn from_folder(folder: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let config = LlamaConfig::read(folder.join("config.json"))?;
        let weights = MappedTensors::open_folder(folder)
            .map_err(|error| Error::file(&error.path, peft_files::plain(&error.source)))?;
        Ok(Self::new(&config, weights.var_builder(dtype, device))?.with_name(folder.to_string_lossy()))
    }

    /// A model of shape `config` with random weights on the CPU: the same for the same `seed`.
    ///
    /// # Errors
    /// If the shape is impossible.
    pub fn random(config: &LlamaConfig, seed: u64) -> Result<Self> {
        Self::new(config, random_weights(seed, DType::F32, &Device::Cpu))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use peft_core::{ActiveAdapters, Backbone};

    use super::*;
    use crate::save_backbone;
    use crate::testing::{build, configs, gap, input, logits};

    #[test]
    fn a_folder_gives_the_model_that_was_saved_there() {
        let folder = tempfile::tempdir().unwrap();
        for config in configs() {
            let llama = build(&config);
            save_backbone(&llama, folder.path()).unwrap();
            let again = Llama::from_folder(folder.path(), DType::F32, &Device::Cpu).unwrap();
            assert_eq!((again.config(), again.name()), (&config, folder.path().to_str()));
            let (rows, none) = (input(&[&[5, 9, 12], &[3]]), ActiveAdapters::none());
            assert_eq!(gap(&logits(&again, &rows, &none), &logits(&llama, &rows, &none)), 0.);
        }
    }

    #[test]
    fn what_a_folder_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Llama::from_folder(folder.path(), DType::F32, &Device::Cpu).unwrap_err().to_string();
        assert!(open().contains("config.json: no such file"), "{}", open());
        let llama = build(&LlamaConfig::small());
        save_backbone(&llama, folder.path()).unwrap();
        let weights = folder.path().join("model.safetensors");
        std::fs::remove_file(&weights).unwrap();
        assert!(open().contains("there is no model.safetensors"), "{}", open());
        let mut tensors = llama.parameters().unwrap();
        let name = "model.layers.1.mlp.down_proj.weight";
        let down = tensors.remove(name).unwrap();
        peft_files::save_tensors(&weights, &tensors, None).unwrap();
        assert!(open().contains(&format!("missing weights: {name}")), "{}", open());
        tensors.insert(name.to_owned(), down.t().unwrap());
        peft_files::save_tensors(&weights, &tensors, None).unwrap();
        assert!(open().contains(&format!("{name}: expected shape [16, 24], found [24, 16]")), "{}", open());
    }
}
