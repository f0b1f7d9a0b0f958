//! Checkpoints of the paper's authors (arXiv 2407.01411; `pytorch_model.bin`, or the same as safetensors).
//!
//! Such a file contains the whole model: the T5, the task embeddings and both hypernetworks (or HyperFormer's static adapters),
//! under the names of their PyTorch modules. [`read_checkpoint`] returns the same tensors under this crate's names. [`import`]
//! makes a run folder of them, for `eval`, `predict` and `compile`.

mod names;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use peft_core::{ParamStore, PeftModel};
use tracing::warn;

use crate::config::Config;
use crate::files::{unicode, write_new_dir};
use crate::model::{ModelName, check_vocabulary, open_tokenizer, shape_of, tokenizer_path};
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::{Error, Result};
use peft_files::{load_pickle, load_tensors, save_tensors, write_atomic};
use peft_t5::{T5, Weights, save_backbone};

/// The tensors of a checkpoint under this crate's names, without the copies that PyTorch keeps of tied embeddings.
///
/// # Errors
/// If the file cannot be read, or contains a parameter that neither T5 nor the authors' modules have.
pub fn read_checkpoint(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let theirs = read_tensors(path)?;
    let sizes = names::Sizes::of(|name| theirs.get(name))
        .ok_or_else(|| Error::malformed(path, "no shared.weight [vocabulary, d_model]: this is not a T5 checkpoint"))?;
    let mut ours = BTreeMap::new();
    for (name, tensor) in &theirs {
        if is_copy(name) {
            continue;
        }
        let (name, dims) = names::ours(name, sizes)
            .ok_or_else(|| Error::malformed(path, format!("unknown parameter {name:?} {:?}", tensor.dims())))?;
        let tensor = match dims {
            Some(dims) if dims.iter().product::<usize>() == tensor.elem_count() => tensor.reshape(dims)?,
            Some(dims) => {
                let (key, found) = (name, tensor.dims().to_vec());
                return Err(peft_core::Error::ShapeMismatch { key, expected: dims, found }.into());
            }
            None => tensor.clone(),
        };
        ours.insert(name, tensor);
    }
    Ok(ours)
}

fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return Ok(load_tensors(path)?);
    }
    Ok(load_pickle(path)?)
}

/// Whether PyTorch repeats `shared.weight` under this name.
fn is_copy(name: &str) -> bool {
    matches!(name, "encoder.embed_tokens.weight" | "decoder.embed_tokens.weight")
}

/// Makes a run folder `out` of the checkpoint at `path`. `config` describes the checkpoint: the shape of the backbone, the
/// methods, the generator, the tasks in the authors' order, and the tokenizer.
///
/// # Errors
/// If `out` exists, or if checkpoint and configuration do not belong together: one has a parameter that the other does not have,
/// or that has another shape there. Nothing is written then.
pub fn import(config: &Config, path: &Path, out: &Path, device: &Device) -> Result<()> {
    unicode(out)?;
    write_new_dir(out, |folder| import_into(folder, config, path, device))
}

/// Fills `folder`, which gets its final name once this has succeeded.
fn import_into(folder: &Path, config: &Config, path: &Path, device: &Device) -> Result<()> {
    let shape = shape_of(&config.model)?;
    let tokenizer = open_tokenizer(config.model.tokenizer.as_deref(), tokenizer_of(config)?.as_deref())?;
    check_vocabulary(&tokenizer, &shape)?;
    let mut tensors = read_checkpoint(path)?;
    if shape.tie_word_embeddings {
        tensors.remove("lm_head.weight");
    }
    let (variables, frozen): (BTreeMap<_, _>, BTreeMap<_, _>) =
        tensors.into_iter().partition(|(name, _)| is_peft(name) || config.model.trainable.covers(name));
    let frozen_names: Vec<String> = frozen.keys().cloned().collect();
    let store = ParamStore::from_tensors(variables, device);
    let backbone =
        Weights::from_tensors(frozen).trainable(config.model.trainable, &store).var_builder(DType::F32, device);
    let t5 = T5::new(&shape, backbone)?;
    let model = PeftModel::new(t5, config.parts()?, &store, store.var_builder())?;
    store.check_all_used()?;
    let used = model.backbone().tensors()?;
    let unused: Vec<String> = frozen_names.into_iter().filter(|name| !used.contains_key(name)).collect();
    if !unused.is_empty() {
        return Err(peft_core::Error::UnknownKeys { keys: unused }.into());
    }
    save_backbone(model.backbone(), folder)?;
    tokenizer.save(folder.join("tokenizer.json"))?;
    save_tensors(folder.join(ADAPTER_FILE), &store.tensors(), peft_files::PYTORCH)?;
    keep_tags(&RunDir::new(folder), config)?;
    let text = config.to_toml()?;
    Ok(write_atomic(RunDir::new(folder).config(), |file| file.write_all(text.as_bytes()))?)
}

/// Where the tokenizer is that belongs to `model.name`; `None` for a shape. Only needed if `model.tokenizer` is not given.
fn tokenizer_of(config: &Config) -> Result<Option<PathBuf>> {
    match (&config.model.tokenizer, ModelName::parse(&config.model.name)?) {
        (Some(_), _) | (None, ModelName::Shape(_)) => Ok(None),
        (None, _) => tokenizer_path(Path::new(&config.model.name)).map(Some),
    }
}

/// Keeps the tags of the tasks whose training data are here, so that the folder labels where they are not.
fn keep_tags(run: &RunDir, config: &Config) -> Result<()> {
    let mut tags = TagSets::new();
    for task in config.require_tasks()? {
        match config.corpus(task)?.tags() {
            Ok(found) => _ = tags.insert(task.name.clone(), found),
            Err(error) => warn!(
                "{}: the tags are not kept, because the training data cannot be read ({error}); predict needs them, or --decoding free",
                task.name
            ),
        }
    }
    if tags.is_empty() { Ok(()) } else { run.save_tags(&tags) }
}

fn is_peft(name: &str) -> bool {
    name.starts_with("hyper.") || name.starts_with(peft_core::PEFT_PREFIX)
}
