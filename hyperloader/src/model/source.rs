//! Opens a backbone by its name: a folder, a hub id, or a shape without weights.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use datasets::tokenizer::T5Tokenizer;

use super::hub;
use crate::config::ModelConfig;
use crate::files::unicode;
use crate::{Error, Result};
use peft_t5::{T5, T5Config, Weights, preset, preset_names};

/// The prefix of a name that means a shape without weights.
const SHAPE_PREFIX: &str = "config:";
/// The key of the tokenizer.
const TOKENIZER_KEY: &str = "model.tokenizer";
/// The key of the backbone's name.
const KEY: &str = "model.name";

/// What `model.name` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelName {
    /// A folder with `config.json`, safetensors and, usually, the tokenizer.
    Folder(PathBuf),
    /// A built-in shape, or the path of a `config.json`; weights are random.
    Shape(String),
    /// A model of the hub.
    Hub {
        /// Its id, such as `google/flan-t5-small`.
        id: String,
        /// The revision after `@`.
        revision: Option<String>,
    },
}

impl ModelName {
    /// Reads a name: `config:SHAPE`, a folder that exists, or a hub id with an optional `@revision`.
    ///
    /// # Errors
    /// [`Error::Config`] if it looks like a path and no such folder exists.
    pub fn parse(name: &str) -> Result<Self> {
        if let Some(shape) = name.strip_prefix(SHAPE_PREFIX) {
            return Ok(Self::Shape(shape.to_owned()));
        }
        let path = Path::new(name);
        if path.is_dir() {
            return Ok(Self::Folder(path.to_path_buf()));
        }
        let (id, revision) = match name.split_once('@') {
            Some((id, revision)) => (id, Some(revision.to_owned())),
            None => (name, None),
        };
        if path.is_file() {
            let file = "is a file; give the folder that holds config.json and model.safetensors";
            return Err(Error::setting(KEY, format!("{name:?} {file}")));
        }
        let parts: Vec<&str> = id.split('/').collect();
        // The hub allows no other characters.
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let plain = |part: &&str| !part.is_empty() && !part.starts_with('.') && part.chars().all(known);
        if parts.len() > 2 || !parts.iter().all(plain) {
            let reason = format!(
                "no folder {name:?}; give a folder with config.json and model.safetensors, a hub id such as \
                 \"google/flan-t5-small\", or \"config:t5-small\" for random weights"
            );
            return Err(Error::setting(KEY, reason));
        }
        Ok(Self::Hub { id: id.to_owned(), revision })
    }

    /// Checks that the name can mean something here, without reading or fetching a file.
    ///
    /// # Errors
    /// [`Error::Hub`] for a model of the hub if there is no folder for its cache.
    pub(crate) fn check_place(&self) -> Result<()> {
        match self {
            Self::Hub { id, revision } => hub::fetch(id, revision.as_deref(), &[]).map(|_| ()),
            Self::Folder(_) | Self::Shape(_) => Ok(()),
        }
    }

    /// The shape. A built-in one needs no files and no network.
    ///
    /// # Errors
    /// If the shape is unknown, or the `config.json` cannot be fetched or read.
    pub fn shape(&self) -> Result<T5Config> {
        match self {
            Self::Folder(folder) => Ok(T5Config::read(folder.join("config.json"))?),
            Self::Shape(name) => built_in_or_file(name),
            Self::Hub { id, revision } => match (preset(id), revision) {
                (Some(config), None) => Ok(config),
                _ => Ok(T5Config::read(hub::fetch(id, revision.as_deref(), &["config.json"])?.join("config.json"))?),
            },
        }
    }
}

/// The built-in shape called `name`, or the `config.json` at that path.
///
/// # Errors
/// [`Error::Config`] with the known names.
pub fn built_in_or_file(name: &str) -> Result<T5Config> {
    if let Some(config) = preset(name) {
        return Ok(config);
    }
    if Path::new(name).is_file() {
        return Ok(T5Config::read(name)?);
    }
    let known: Vec<&str> = preset_names().collect();
    Err(Error::Config(format!("{name:?} is no built-in shape and no config.json; known shapes: {}", known.join(", "))))
}

/// The shape that a configuration asks for, with its own settings on top.
///
/// # Errors
/// As [`ModelName::shape`].
pub fn shape_of(model: &ModelConfig) -> Result<T5Config> {
    let shape = ModelName::parse(&model.name)?.shape().map_err(|error| error.asked_by(KEY))?;
    let mut config = shape.with_cross_attention_bias(model.cross_attention_bias);
    if let Some(dropout_rate) = model.dropout_rate {
        config.dropout_rate = dropout_rate;
    }
    Ok(config)
}

/// A backbone that is ready to be built.
pub struct BackboneSource {
    /// Its shape.
    pub config: T5Config,
    /// Its weights.
    pub weights: Weights,
    /// The folder that it came from, if it did.
    pub folder: Option<PathBuf>,
}

impl BackboneSource {
    /// Finds (and, from the hub, fetches) the backbone of a configuration. `seed` is for random weights.
    ///
    /// # Errors
    /// If it cannot be fetched or read.
    pub fn open(model: &ModelConfig, seed: u64) -> Result<Self> {
        let folder = match ModelName::parse(&model.name)? {
            ModelName::Shape(_) => None,
            ModelName::Folder(folder) => Some(folder),
            ModelName::Hub { id, revision } => Some(hub::fetch_model(&id, revision.as_deref())?),
        };
        let shape = match &folder {
            Some(folder) => ModelConfig { name: unicode(folder)?, ..model.clone() },
            None => model.clone(),
        };
        let weights = match &folder {
            Some(folder) => Weights::open(folder).map_err(|error| Error::from(error).asked_by("model.name"))?,
            None => Weights::random(seed),
        };
        Ok(Self { config: shape_of(&shape)?, weights, folder })
    }
}

/// The backbone called `name`, frozen, in `f32`: a folder, a hub id with an optional `@revision`, or `config:SHAPE` for random
/// weights.
///
/// # Errors
/// If it cannot be found, fetched or read.
pub(super) fn open_t5(name: &str, device: &Device) -> Result<T5> {
    let t5 = match ModelName::parse(name)? {
        ModelName::Folder(folder) => T5::from_folder(folder, device)?,
        ModelName::Hub { id, revision } => T5::from_folder(hub::fetch_model(&id, revision.as_deref())?, device)?,
        ModelName::Shape(shape) => {
            T5::new(&built_in_or_file(&shape)?, Weights::random(0).var_builder(DType::F32, device))?
        }
    };
    Ok(t5.with_name(name))
}

/// The folder or the file of the tokenizer that `name` means.
pub(crate) fn tokenizer_path(name: &Path) -> Result<PathBuf> {
    if name.exists() {
        return Ok(name.to_path_buf());
    }
    match ModelName::parse(&name.to_string_lossy())? {
        ModelName::Folder(folder) => Ok(folder),
        ModelName::Hub { id, revision } => hub::fetch_tokenizer(&id, revision.as_deref()),
        ModelName::Shape(shape) => Err(Error::Config(format!("{shape:?} is a shape, which has no tokenizer"))),
    }
}

/// The tokenizer of a configuration: the one that it names, or the one next to the model.
///
/// # Errors
/// [`Error::Config`] if neither is there.
pub fn open_tokenizer(named: Option<&Path>, folder: Option<&Path>) -> Result<T5Tokenizer> {
    match named.or(folder) {
        Some(path) => {
            let key = if named.is_some() { TOKENIZER_KEY } else { KEY };
            T5Tokenizer::load(path).map_err(|error| Error::from(error).asked_by(key))
        }
        None => Err(Error::setting(
            TOKENIZER_KEY,
            "not given, and a shape has none of its own; give the tokenizer that the model was trained with, a folder, a \
             tokenizer.json or a spiece.model: in the configuration, or as --set model.tokenizer=PATH",
        )),
    }
}

/// Checks that every token of `tokenizer` has a row in the embedding table.
///
/// # Errors
/// [`Error::Config`] with both sizes.
pub fn check_vocabulary(tokenizer: &T5Tokenizer, shape: &T5Config) -> Result<()> {
    if tokenizer.vocab_size() <= shape.vocab_size {
        return Ok(());
    }
    Err(Error::Config(format!(
        "the tokenizer has {} tokens, the model's embedding {} rows; they do not belong together",
        tokenizer.vocab_size(),
        shape.vocab_size
    )))
}
