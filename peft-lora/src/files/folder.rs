//! The files of a Hugging Face `peft` adapter folder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use peft_core::{Error, Result};

/// The configuration of an adapter.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Its weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Its weights as older versions wrote them.
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
            candle_core::safetensors::load(&weights, &Device::Cpu).map_err(|e| Error::file(&weights, e))?
        } else if pickle.is_file() {
            let tensors = candle_core::pickle::read_all(&pickle).map_err(|e| Error::file(&pickle, e))?;
            tensors.into_iter().collect()
        } else {
            return Err(Error::file(path, format!("neither {WEIGHTS_FILE} nor {PICKLE_FILE} is there")));
        };
        Ok(Self { path: path.to_path_buf(), config, tensors: tensors.into_iter().collect() })
    }

    /// The configuration as `T`, which should let pass what it does not know.
    ///
    /// # Errors
    /// [`Error::File`] with the line and the reason.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.config).map_err(|e| Error::file(self.path.join(CONFIG_FILE), e))
    }

    /// The error for a configuration that asks for what cannot be done.
    pub fn unsupported(&self, reason: impl std::fmt::Display) -> Error {
        Error::file(self.path.join(CONFIG_FILE), reason.to_string())
    }

    /// Writes both files into the folder, which is made if need be; each is written beside its place and then renamed.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be written.
    pub fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| Error::file(&self.path, e))?;
        // `transformers` and `peft` refuse files that do not name the framework whose layout they have.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        place(&self.path.join(WEIGHTS_FILE), |path| {
            let tensors = self.tensors.iter().map(|(name, tensor)| Ok((name, tensor.contiguous()?)));
            let tensors = tensors.collect::<candle_core::Result<BTreeMap<_, _>>>()?;
            safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|e| Error::file(path, e))
        })?;
        place(&self.path.join(CONFIG_FILE), |path| std::fs::write(path, &self.config).map_err(|e| Error::file(path, e)))
    }
}

/// Lets `write` make a file, then gives it its name.
fn place(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let placed = write(&unfinished).and_then(|()| std::fs::rename(&unfinished, path).map_err(|e| Error::file(path, e)));
    if placed.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&unfinished);
    }
    placed
}
