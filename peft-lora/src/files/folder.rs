//! The files of an adapter folder: a configuration and weights.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use peft_core::{Error, Result};
use peft_files::{
    PYTORCH, commit_listed, create_folders, load_pickle, load_tensors, parse_json, read_text, stage, stage_tensors,
};

/// The configuration of an adapter.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Its weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// How a library names and writes the weights of an adapter folder.
pub trait FolderLayout: Debug + Clone {
    /// The files that may hold the weights; the first that exists is read. A name that ends in `.bin` is a pickle.
    const READ: &'static [&'static str];
    /// The file that the weights are written to.
    const WRITTEN: &'static str;
    /// The metadata of the written file.
    const METADATA: Option<[&'static str; 2]>;

    /// The name of the weight that a file calls `name`. Default: the same.
    fn read_name(name: String) -> String {
        name
    }
}

/// The layout of Hugging Face `peft`.
#[derive(Debug, Clone)]
pub struct PeftLayout;

impl FolderLayout for PeftLayout {
    // Older versions wrote a pickle.
    const READ: &'static [&'static str] = &[WEIGHTS_FILE, "adapter_model.bin"];
    const WRITTEN: &'static str = WEIGHTS_FILE;
    const METADATA: Option<[&'static str; 2]> = PYTORCH;

    // Old files have the adapter's name in the names of the weights.
    fn read_name(name: String) -> String {
        name.replace(".default", "")
    }
}

/// What a `peft` folder holds: `adapter_config.json` and the weights, `adapter_model.safetensors` or `adapter_model.bin`.
pub type PeftFolder = AdapterFolder<PeftLayout>;

/// What an adapter folder holds: `adapter_config.json` and a file of weights.
#[derive(Debug, Clone)]
pub struct AdapterFolder<L> {
    /// The folder.
    pub path: PathBuf,
    /// The text of the configuration.
    pub config: String,
    /// The weights as they are named in the file.
    pub tensors: BTreeMap<String, Tensor>,
    layout: PhantomData<L>,
}

impl<L: FolderLayout> AdapterFolder<L> {
    /// A folder to be written at `path`.
    pub fn new(path: impl AsRef<Path>, config: String, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { path: path.as_ref().to_path_buf(), config, tensors, layout: PhantomData }
    }

    /// Reads the folder at `path`, on the CPU.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that is missing, cannot be read, or was changed after the folder's manifest was written.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(CONFIG_FILE);
        let config = read_text(&file).map_err(unreadable)?;
        let Some(weights) = L::READ.iter().map(|name| path.join(name)).find(|path| path.is_file()) else {
            return Err(Error::file(path, format!("none of {} exists", L::READ.join(", "))));
        };
        let pickled = weights.extension().is_some_and(|extension| extension == "bin");
        let tensors = if pickled { load_pickle(&weights) } else { load_tensors(&weights) };
        let named = |(name, tensor): (String, Tensor)| (L::read_name(name), tensor);
        Ok(Self::new(path, config, tensors.map_err(unreadable)?.into_iter().map(named).collect()))
    }

    /// The configuration as `T`, which should ignore unknown keys.
    ///
    /// # Errors
    /// [`Error::File`] with the line and the reason.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        parse_json(self.path.join(CONFIG_FILE), &self.config).map_err(unreadable)
    }

    /// The error for a configuration that asks for something that is not supported.
    pub fn unsupported(&self, reason: impl std::fmt::Display) -> Error {
        Error::file(self.path.join(CONFIG_FILE), reason.to_string())
    }

    /// The error for a method that is not among those that are `known`.
    pub fn unknown_type(&self, peft_type: &str, known: &[&str]) -> Error {
        self.unsupported(format!("peft_type is {peft_type:?}, which is not supported; known: {}", known.join(", ")))
    }

    /// Writes both files into the folder, which is created if necessary, and a manifest with their checksums. Both are written before
    /// either replaces an older file.
    ///
    /// # Errors
    /// [`Error::File`] naming the file that cannot be written.
    pub fn write(&self) -> Result<()> {
        let write = || {
            let made = create_folders(&self.path)?;
            let weights = stage_tensors(self.path.join(L::WRITTEN), &self.tensors, L::METADATA)?;
            let bytes = self.config.as_bytes();
            let (config, ()) = stage(self.path.join(CONFIG_FILE), |file| std::io::Write::write_all(file, bytes))?;
            commit_listed([weights, config])?;
            made.keep();
            Ok(())
        };
        write().map_err(unreadable)
    }
}

fn unreadable(error: peft_files::Error) -> Error {
    Error::file(&error.path, peft_files::plain(&error.source))
}
