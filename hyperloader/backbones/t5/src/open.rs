//! A model from its folder in one call.

use std::path::Path;

use candle_core::{DType, Device};

use crate::config::T5Config;
use crate::error::Result;
use crate::model::T5;
use crate::weights::Weights;

impl T5 {
    /// The model in `folder`: its shape from `config.json` and its parameters, in `f32` on `device`, from `model.safetensors`
    /// or from the files that `model.safetensors.index.json` names. All threads of rayon's pool load in parallel.
    ///
    /// The parameters are frozen: make some of them variables with [`train`](Self::train). For other types or an embedding
    /// table that stays in its file, use [`Weights`] with [`T5::new`] or [`T5::with_table`].
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use peft_t5::{T5, Weights, preset, save_backbone};
    ///
    /// let mut config = preset("t5-small").ok_or("no such preset")?;
    /// (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
    /// let folder = std::env::temp_dir().join("peft-t5-from-folder");
    /// save_backbone(&T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?, &folder)?;
    ///
    /// let t5 = T5::from_folder(&folder, &Device::Cpu)?;
    /// assert_eq!(t5.config(), &config);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if a file cannot be read or does not hold what it should;
    /// [`Error::Config`](crate::Error::Config) if there are no weights in the folder; an error with the name of the parameter
    /// if one is missing or has another shape than `config.json` says.
    pub fn from_folder(folder: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let config = T5Config::read(folder.join("config.json"))?;
        let loading = Weights::open(folder)?.prefetch(DType::F32, device);
        rayon::in_place_scope(|scope| {
            (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| loading.work()));
            loading.work();
        });
        let t5 = Self::new(&config, loading.finish()?.var_builder(DType::F32, device))?;
        Ok(t5.with_name(folder.to_string_lossy()))
    }

    /// A model of shape `config` with T5's own random initial values on the CPU: the same for the same `seed`.
    ///
    /// # Errors
    /// If the shape is impossible.
    pub fn random(config: &T5Config, seed: u64) -> Result<Self> {
        Self::new(config, Weights::random(seed).var_builder(DType::F32, &Device::Cpu))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::save_backbone;
    use crate::testing::{build, configs, largest_difference};

    #[test]
    fn a_folder_gives_the_model_that_was_saved_there() {
        let folder = tempfile::tempdir().unwrap();
        let missing = T5::from_folder(folder.path(), &Device::Cpu).unwrap_err().to_string();
        assert!(missing.contains("config.json"), "{missing}");
        for config in configs().into_iter().filter(|config| !config.cross_attention_bias) {
            let t5 = build(&config);
            save_backbone(&t5, folder.path()).unwrap();
            let again = T5::from_folder(folder.path(), &Device::Cpu).unwrap();
            assert_eq!(again.config(), &config);
            let (expected, found) = (t5.tensors().unwrap(), again.tensors().unwrap());
            assert!(expected.keys().eq(found.keys()));
            assert!(found.iter().all(|(name, tensor)| largest_difference(tensor, &expected[name]) == 0.));
        }
        std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        let missing = T5::from_folder(folder.path(), &Device::Cpu).unwrap_err().to_string();
        assert!(missing.contains("no model.safetensors"), "{missing}");
    }
}
