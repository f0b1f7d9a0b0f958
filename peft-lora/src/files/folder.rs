//! The files of a Hugging Face `peft` adapter folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use peft_core::{Error, Result};
use peft_files::{PYTORCH, check_listed, commit_listed, create_folders, read_listed_text, stage, stage_tensors};

/// The configuration of an adapter.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Its weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Its weights, as older versions wrote them.
const PICKLE_FILE: &str = "adapter_model.bin";

/// What a `peft` folder holds: `adapter_config.json` and the weights, `adapter_model.safetensors` or `adapter_model.bin`.
#[derive(Debug, Clone)]
pub struct PeftFolder {
    /// The folder.
    pub path: PathBuf,
    /// The text of the configuration.
    pub config: String,
    /// The weights as they are named in the file.
    pub tensors: BTreeMap<String, Tensor>,
}

impl PeftFolder {
    /// Reads the folder at `path`, on the CPU.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that is missing, cannot be read, or was changed after the folder's manifest was written.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(CONFIG_FILE);
        let config = read_listed_text(&file).map_err(|e| Error::file(&file, e.source))?;
        let (weights, pickle) = (path.join(WEIGHTS_FILE), path.join(PICKLE_FILE));
        let checked = |file: &Path| check_listed(file).map_err(|e| Error::file(&e.path, &e.source));
        let tensors = if weights.is_file() {
            checked(&weights)?;
            candle_core::safetensors::load(&weights, &Device::Cpu).map_err(|e| Error::file(&weights, e))?
        } else if pickle.is_file() {
            checked(&pickle)?;
            let tensors = candle_core::pickle::read_all(&pickle).map_err(|e| Error::file(&pickle, e))?;
            tensors.into_iter().collect()
        } else {
            return Err(Error::file(path, format!("neither {WEIGHTS_FILE} nor {PICKLE_FILE} is there")));
        };
        Ok(Self { path: path.to_path_buf(), config, tensors: tensors.into_iter().collect() })
    }

    /// The configuration as `T`, which should ignore unknown keys.
    ///
    /// # Errors
    /// [`Error::File`] with the line and the reason.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.config).map_err(|e| Error::file(self.path.join(CONFIG_FILE), e))
    }

    /// The error for a configuration that asks for something that is not supported.
    pub fn unsupported(&self, reason: impl std::fmt::Display) -> Error {
        Error::file(self.path.join(CONFIG_FILE), reason.to_string())
    }

    /// Writes both files into the folder, which is created if necessary, and a manifest with their checksums. Both are written before
    /// either replaces an older file.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be written.
    pub fn write(&self) -> Result<()> {
        let write = || {
            let made = create_folders(&self.path)?;
            let weights = stage_tensors(self.path.join(WEIGHTS_FILE), &self.tensors, PYTORCH)?;
            let bytes = self.config.as_bytes();
            let (config, ()) = stage(self.path.join(CONFIG_FILE), |file| std::io::Write::write_all(file, bytes))?;
            commit_listed([weights, config])?;
            made.keep();
            Ok(())
        };
        write().map_err(|error: peft_files::Error| Error::file(&error.path, &error.source))
    }
}
