//! Reads models from folders of HyperLoader, Hugging Face `peft` and AdapterHub, and writes our own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use datasets::tokenizer::T5Tokenizer;
use peft_adapter::files::{BaseModel, read_adapterhub, read_peft};
use peft_core::{
    AdapterCheckpoint, Backbone, DEFAULT_TASK, GeneratorConfig, PeftConfig, PeftModel, PeftParts, StaticConfig, Tasks,
};
use peft_t5::T5;
use serde::{Deserialize, Serialize};

use super::source::{open_t5, tokenizer_path};
use crate::{Error, Result};

/// The file that describes the model of a folder.
const CONFIG_FILE: &str = "adapter_config.json";
/// The weights of a model's folder.
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// The layout of [`CONFIG_FILE`].
const FORMAT: &str = "hyperloader-1";

/// `adapter_config.json` as [`SavePretrained::save_pretrained`] writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: String,
    base_model_name_or_path: Option<String>,
    tasks: Vec<String>,
    methods: Vec<Box<dyn PeftConfig>>,
    generator: Box<dyn GeneratorConfig>,
}

/// Which program wrote a folder, found from the keys of its `adapter_config.json`.
enum Writer {
    HyperLoader(Description),
    Peft(Option<String>),
    AdapterHub(Option<String>),
}

/// Opens a backbone ([`T5`]) or a model ([`PeftModel`]) from a folder or the Hugging Face hub.
pub trait FromPretrained: Sized {
    /// For a [`T5`], `name` is one of these:
    ///
    /// - a folder with `config.json` and safetensors;
    /// - a hub id such as `google/flan-t5-small`, with an optional `@revision`;
    /// - `config:t5-small`, for a shape with random weights.
    ///
    /// For a [`PeftModel`], `name` is a folder that [`save_pretrained`](SavePretrained::save_pretrained), Hugging Face `peft` or
    /// AdapterHub wrote. The backbone that the folder names is opened too: a folder inside it, or a name as for a backbone. A model that Python wrote has one task, `default`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or asks for what is not supported; if the hub cannot be reached.
    fn from_pretrained(name: impl AsRef<Path>, device: &Device) -> Result<Self>;
}

impl FromPretrained for T5 {
    fn from_pretrained(name: impl AsRef<Path>, device: &Device) -> Result<Self> {
        open_t5(&name.as_ref().to_string_lossy(), device)
    }
}

impl FromPretrained for PeftModel<T5> {
    fn from_pretrained(name: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let folder = name.as_ref();
        let writer = read_description(folder)?;
        let base = match &writer {
            Writer::HyperLoader(description) => description.base_model_name_or_path.as_deref(),
            Writer::Peft(base) | Writer::AdapterHub(base) => base.as_deref(),
        };
        let base = base.filter(|name| !name.is_empty()).ok_or_else(|| {
            Error::Config(format!(
                "{}: the file does not name its backbone; open the backbone and call load_pretrained with it",
                folder.join(CONFIG_FILE).display()
            ))
        })?;
        // `hyperloader export` writes the backbone into the adapter's folder, and names it from there.
        let inside = folder.join(base);
        let name = if inside.is_dir() { inside.as_path() } else { Path::new(base) };
        load(T5::from_pretrained(name, device)?, folder, writer)
    }
}

/// Opens a tokenizer by a folder, or by a name of the Hugging Face hub.
pub trait TokenizerFromPretrained: Sized {
    /// The tokenizer of a model: a folder or a file (`tokenizer.json` or `spiece.model`), or a hub id with an optional `@revision`,
    /// of which only the tokenizer is fetched.
    ///
    /// # Errors
    /// If it is missing or damaged, or the hub cannot be reached.
    fn from_pretrained(name: impl AsRef<Path>) -> Result<Self>;
}

impl TokenizerFromPretrained for T5Tokenizer {
    fn from_pretrained(name: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::load(tokenizer_path(name.as_ref())?)?)
    }
}

/// Writes a model to a folder, and reads a folder for a backbone that is already open.
pub trait SavePretrained<B>: Sized {
    /// Writes `adapter_config.json` (methods, generator, tasks, the backbone's name), `adapter_model.safetensors` (all trainable
    /// parameters, including those of the backbone) and `manifest.json` with their checksums. Frozen parameters of the backbone are
    /// not written.
    ///
    /// Only this crate reads the folder. For Python, write one task with [`peft_adapter::files`].
    ///
    /// # Errors
    /// If a file cannot be written.
    fn save_pretrained(&self, folder: impl AsRef<Path>) -> Result<()>;

    /// Like [`FromPretrained::from_pretrained`], but on `backbone` instead of the backbone that the folder names.
    ///
    /// # Errors
    /// If a file is missing or damaged, or was made for another backbone.
    fn load_pretrained(backbone: B, folder: impl AsRef<Path>) -> Result<Self>;
}

impl<B: Backbone> SavePretrained<B> for PeftModel<B> {
    fn save_pretrained(&self, folder: impl AsRef<Path>) -> Result<()> {
        let (folder, parts) = (folder.as_ref(), self.parts());
        let description = Description {
            format: FORMAT.to_owned(),
            base_model_name_or_path: self.backbone().name().map(str::to_owned),
            tasks: parts.tasks.names().to_vec(),
            methods: parts.methods.clone(),
            generator: parts.generator.clone(),
        };
        let config = folder.join(CONFIG_FILE);
        let text = serde_json::to_string_pretty(&description).map_err(|e| Error::malformed(&config, e.to_string()))?;
        let made = peft_files::create_folders(folder)?;
        let weights =
            peft_files::stage_tensors(folder.join(WEIGHTS_FILE), &self.store().tensors(), peft_files::PYTORCH)?;
        let (config, ()) = peft_files::stage(config, |file| writeln!(file, "{text}"))?;
        peft_files::commit_listed([weights, config])?;
        made.keep();
        Ok(())
    }

    fn load_pretrained(backbone: B, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let writer = read_description(folder)?;
        load(backbone, folder, writer)
    }
}

fn read_description(folder: &Path) -> Result<Writer> {
    #[derive(Deserialize)]
    struct Foreign {
        format: Option<String>,
        peft_type: Option<String>,
        base_model_name_or_path: Option<String>,
        revision: Option<String>,
        model_name: Option<String>,
    }
    let path = folder.join(CONFIG_FILE);
    let text = peft_files::read_text(&path)?;
    let keys: Foreign = peft_files::parse_json(&path, &text)?;
    Ok(match (keys.format.as_deref(), keys.peft_type) {
        (Some(FORMAT), _) => Writer::HyperLoader(peft_files::parse_json(&path, &text)?),
        (Some(other), _) => {
            let reason =
                format!("format is {other:?}; this version reads {FORMAT:?}, and folders of peft and AdapterHub");
            return Err(Error::malformed(&path, reason));
        }
        (None, Some(_)) => Writer::Peft(match (keys.base_model_name_or_path, keys.revision) {
            (Some(base), Some(revision)) if !Path::new(&base).exists() => Some(format!("{base}@{revision}")),
            (base, _) => base,
        }),
        (None, None) => Writer::AdapterHub(keys.model_name),
    })
}

fn load<B: Backbone>(backbone: B, folder: &Path, writer: Writer) -> Result<PeftModel<B>> {
    let own = backbone.parameters()?;
    let base = BaseModel::new(backbone.sites()).tensors(&own);
    let (parts, weights) = match writer {
        Writer::HyperLoader(Description { tasks, methods, generator, .. }) => {
            let parts = PeftParts { methods, generator, tasks: Tasks::new(tasks) };
            (parts, peft_files::load_tensors(folder.join(WEIGHTS_FILE))?)
        }
        Writer::Peft(_) => one_task(read_peft(folder, &base)?),
        Writer::AdapterHub(_) => one_task(read_adapterhub(folder, &base)?),
    };
    let trained: BTreeSet<String> = weights.keys().filter(|name| own.contains_key(*name)).cloned().collect();
    let builder = PeftModel::builder(backbone).parts(parts).weights(weights);
    Ok(builder.train_backbone(move |name| trained.contains(name)).build()?)
}

/// The adapter of a folder from Python as a model of one task.
fn one_task(AdapterCheckpoint { methods, weights }: AdapterCheckpoint) -> (PeftParts, BTreeMap<String, Tensor>) {
    let (generator, tasks) = (Box::new(StaticConfig::default()), Tasks::new([DEFAULT_TASK]));
    (PeftParts { methods, generator, tasks }, weights)
}
