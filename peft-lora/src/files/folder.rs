//! The files of a Hugging Face `peft` adapter folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use peft_core::{Error, Result};
use peft_files::{PYTORCH, load_pickle, load_tensors, save_tensors, write_atomic};

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
    /// [`Error::File`] naming the file that is missing or cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(CONFIG_FILE);
        let config = std::fs::read_to_string(&file).map_err(|e| Error::file(&file, e))?;
        let (weights, pickle) = (path.join(WEIGHTS_FILE), path.join(PICKLE_FILE));
        let tensors = if weights.is_file() {
            load_tensors(&weights).map_err(|e| Error::file(&weights, e.source))?
        } else if pickle.is_file() {
            load_pickle(&pickle).map_err(|e| Error::file(&pickle, e.source))?
        } else {
            return Err(Error::file(path, format!("neither {WEIGHTS_FILE} nor {PICKLE_FILE} is there")));
        };
        Ok(Self { path: path.to_path_buf(), config, tensors })
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

    /// Writes both files into the folder, which is created if necessary. Each file is replaced as a whole.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be written.
    pub fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| Error::file(&self.path, e))?;
        let written = save_tensors(self.path.join(WEIGHTS_FILE), &self.tensors, PYTORCH).and_then(|()| {
            let bytes = self.config.as_bytes();
            write_atomic(self.path.join(CONFIG_FILE), |file| std::io::Write::write_all(file, bytes))
        });
        written.map_err(|error| Error::file(&error.path, &error.source))
    }
}
