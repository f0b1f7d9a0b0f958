//! The folder of a model: which of its files hold the weights, and how it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Error, PYTORCH, create_folders, read_json, stage, stage_tensors};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What older versions of `transformers` wrote, which is not read.
const PICKLE: &str = "pytorch_model.bin";

/// The part of `model.safetensors.index.json` that matters here.
#[derive(Deserialize)]
struct Index {
    /// Which file holds which tensor.
    weight_map: BTreeMap<String, PathBuf>,
}

/// `model.safetensors` of `folder`, or the files that its `model.safetensors.index.json` names.
pub(crate) fn model_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    match (single.is_file(), index.is_file()) {
        (true, _) => Ok(vec![single]),
        (false, true) => shards(folder, &index),
        (false, false) => {
            let hint = match folder.join(PICKLE).is_file() {
                true => format!(
                    "; {PICKLE} must be converted first, in Python: model.save_pretrained(..) writes safetensors"
                ),
                false => String::new(),
            };
            let reason = format!("there is no {SINGLE} and no {INDEX} in this folder{hint}");
            Err(Error::new(folder, io::Error::new(io::ErrorKind::NotFound, reason)))
        }
    }
}

/// The distinct files that an index names, each directly in `folder`.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Error> {
    let parsed: Index = read_json(index)?;
    let names: BTreeSet<PathBuf> = parsed.weight_map.into_values().collect();
    let is_plain = |name: &Path| matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(Error::malformed(index, format!("{:?} is not the name of a file in this folder", name))),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// Writes `model.safetensors` with `tensors` and `config.json` with `config` to `folder`, which is created if it does not exist.
///
/// Both files are written under temporary names in the same folder before either is renamed, so that a reader never sees half of
/// one, and a failure leaves older files as they were.
///
/// # Errors
/// [`Error`] naming the file that cannot be written; as [`save_tensors`](crate::save_tensors).
pub fn save_model(
    folder: impl AsRef<Path>,
    tensors: &BTreeMap<String, Tensor>,
    config: &impl Serialize,
) -> Result<(), Error> {
    let folder = folder.as_ref();
    let made = create_folders(folder)?;
    let weights = stage_tensors(folder.join(SINGLE), tensors, PYTORCH)?;
    let (config, ()) = stage(folder.join("config.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, config)?;
        file.write_all(b"\n")
    })?;
    weights.commit()?;
    config.commit()?;
    made.keep();
    Ok(())
}
