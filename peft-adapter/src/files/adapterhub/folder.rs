//! The files of an AdapterHub folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use peft_core::{Error, Result};
use peft_files::{load_pickle, load_tensors, save_tensors, write_atomic};

/// The configuration of an adapter.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Its weights.
pub const WEIGHTS_FILE: &str = "adapter.safetensors";
/// The files that may hold the weights; the first that exists is read. AdapterHub writes a pickle by default. It cannot write
/// safetensors where two names share a tensor, so people convert the pickle: that is the last name.
const WEIGHTS: [&str; 3] = [WEIGHTS_FILE, "pytorch_adapter.bin", "adapter_dedup.safetensors"];

/// What an AdapterHub folder holds.
#[derive(Debug, Clone)]
pub struct AdapterHubFolder {
    /// The folder.
    pub path: PathBuf,
    /// The text of the configuration.
    pub config: String,
    /// The weights, by their names in the file.
    pub tensors: BTreeMap<String, Tensor>,
}

impl AdapterHubFolder {
    /// Reads the folder at `path`, on the CPU.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that is missing or cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(CONFIG_FILE);
        let config = std::fs::read_to_string(&file).map_err(|e| Error::file(&file, e))?;
        let Some(weights) = WEIGHTS.iter().map(|name| path.join(name)).find(|path| path.is_file()) else {
            return Err(Error::file(path, format!("none of {} exists", WEIGHTS.join(", "))));
        };
        let pickled = weights.extension().is_some_and(|extension| extension == "bin");
        let tensors = match pickled {
            true => load_pickle(&weights),
            false => load_tensors(&weights),
        };
        let tensors = tensors.map_err(|e| Error::file(&weights, e.source))?;
        Ok(Self { path: path.to_path_buf(), config, tensors })
    }

    /// The configuration as `T`, which should ignore fields that it does not know.
    ///
    /// # Errors
    /// [`Error::File`] with the line and the reason.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.config).map_err(|e| Error::file(self.path.join(CONFIG_FILE), e))
    }

    /// Writes both files into the folder, which is created if necessary. Each file is replaced atomically.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be written.
    pub fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| Error::file(&self.path, e))?;
        let written = save_tensors(self.path.join(WEIGHTS_FILE), &self.tensors, None).and_then(|()| {
            let bytes = self.config.as_bytes();
            write_atomic(self.path.join(CONFIG_FILE), |file| std::io::Write::write_all(file, bytes))
        });
        written.map_err(|error| Error::file(&error.path, &error.source))
    }
}
