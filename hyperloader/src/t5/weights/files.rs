//! Safetensors files of a model folder, mapped into memory.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use serde::Deserialize;

use crate::{Error, Result};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The part of `model.safetensors.index.json` that matters here.
#[derive(Deserialize)]
struct Index {
    /// Which file holds which tensor.
    weight_map: BTreeMap<String, PathBuf>,
}

/// Maps `model.safetensors` of `folder`, or all the files that its `model.safetensors.index.json` names.
///
/// # Errors
/// [`Error::Config`] if there is neither; [`Error::Malformed`] if one of them does not hold what it should.
pub(super) fn open(folder: &Path) -> Result<MmapedSafetensors> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    let paths = match (single.is_file(), index.is_file()) {
        (true, _) => vec![single],
        (false, true) => shards(folder, &index)?,
        (false, false) => {
            let folder = folder.display();
            return Err(Error::Config(format!("{folder}: there is no {SINGLE} and no {INDEX} in this folder")));
        }
    };
    map(&paths).map_err(|e| Error::malformed(folder, e.to_string()))
}

/// The distinct files that an index names, each directly in `folder`.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(index).map_err(|e| Error::io(index, e))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|e| Error::malformed(index, e.to_string()))?;
    let names: BTreeSet<PathBuf> = parsed.weight_map.into_values().collect();
    let is_plain = |name: &Path| matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(Error::malformed(index, format!("{:?} is not the name of a file in this folder", name))),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// Maps files into memory: a checkpoint larger than the free memory loads, and the pages are shared between processes.
#[allow(unsafe_code, reason = "a memory map cannot be made safely: another process could change the file")]
fn map(paths: &[PathBuf]) -> candle_core::Result<MmapedSafetensors> {
    // SAFETY: the map is read-only and private to this crate, and every tensor is copied out of it. Its bytes change only
    // if someone truncates or rewrites the file in place meanwhile; checkpoints are written beside and renamed.
    unsafe { MmapedSafetensors::multi(paths) }
}
