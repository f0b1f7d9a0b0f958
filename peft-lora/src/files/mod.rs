//! Hugging Face `peft` folders of LoRA, rsLoRA, DoRA and IA3: read and write.
//!
//! A folder has `adapter_config.json` and `adapter_model.safetensors`. The keys of the weights are
//! `base_model.model.<site path>.<weight>`, without the adapter's name.
//!
//! Some values differ from ours, because ours are zero at the start, whatever the backbone's weights are:
//!
//! | weight | `peft` | here |
//! |---|---|---|
//! | DoRA's magnitudes | `m` | `m - ‖W‖` |
//! | `modules_to_save` | `W + ΔW`, `b + Δb` | `ΔW`, `Δb` |
//! | biases that train with LoRA | `b + Δb` | `Δb` |
//!
//! For these, reading and writing need the backbone's tensors ([`BaseModel::tensors`]).

mod base;
mod config;
mod folder;
mod keys;
mod leftovers;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Result};
use serde_json::json;

use crate::{Ia3Config, LoraConfig};

pub use base::{BaseModel, SEQ_2_SEQ_LM};
pub use folder::{AdapterFolder, CONFIG_FILE, FolderLayout, PeftFolder, PeftLayout, WEIGHTS_FILE};
use keys::Keys;

/// The values of `peft_type` that [`read_peft`] knows.
pub const TYPES: [&str; 2] = ["LORA", "IA3"];

/// Reads the adapter in the folder at `path` for the backbone `base`.
///
/// # Errors
/// [`Error::File`] if a file is missing, cannot be read or asks for something that is not supported; [`Error::UnknownKeys`],
/// [`Error::MissingKeys`] or [`Error::ShapeMismatch`] if the adapter was made for another backbone or rank;
/// [`Error::Mismatch`] if the method needs the backbone's tensors and `base` has none.
pub fn read_peft(path: impl AsRef<Path>, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let folder = PeftFolder::read(path)?;
    let method: Box<dyn PeftConfig> = match folder.parse::<config::Kind>()?.peft_type.as_str() {
        "LORA" => Box::new(config::read_lora(&folder)?),
        "IA3" => Box::new(config::read_ia3(&folder)?),
        other => {
            return Err(folder.unknown_type(other, &TYPES));
        }
    };
    read_weights(&folder, method, base)
}

/// The adapter of one method whose configuration is known, with the weights of `folder`. The names of weights in files are those of the
/// method's specifications, except in the table [above](self) and for layer-norm tuning
/// ([`DeltaNames::LN_TUNING`](crate::DeltaNames::LN_TUNING)).
///
/// # Errors
/// As [`read_peft`].
pub fn read_weights(
    folder: &PeftFolder,
    method: Box<dyn PeftConfig>,
    base: &BaseModel<'_>,
) -> Result<AdapterCheckpoint> {
    let adapter = AdapterCheckpoint { methods: vec![method], weights: BTreeMap::new() };
    let keys = Keys::of(&adapter.plan(base.sites)?, base)?;
    let theirs = folder.wanted(|name| keys.contains(name), base)?;
    let weights = keys.read(theirs)?;
    let adapter = AdapterCheckpoint { weights, ..adapter };
    adapter.build(base.sites, &Device::Cpu)?;
    Ok(adapter)
}

/// The weights of `adapter` as [`read_weights`] reads them from a folder.
///
/// # Errors
/// [`Error::MissingKeys`] if a weight of a method is missing; [`Error::Mismatch`] if a method needs the backbone's tensors and `base`
/// has none.
pub fn write_weights(adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<BTreeMap<String, Tensor>> {
    Keys::of(&adapter.plan(base.sites)?, base)?.write(&adapter.weights)
}

/// Writes `adapter`, which must have exactly one method, to the folder at `path`, as `peft` would for the backbone `base`.
///
/// # Errors
/// [`Error::InvalidConfig`] if `peft` folders cannot hold the method; [`Error::File`] if a file cannot be written;
/// [`Error::Mismatch`] if the method needs the backbone's tensors and `base` has none.
pub fn write_peft(path: impl AsRef<Path>, adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<()> {
    let [method] = adapter.methods.as_slice() else {
        let reason = format!("a peft folder holds one method, this adapter has {}", adapter.methods.len());
        return Err(Error::Mismatch(reason));
    };
    adapter.build(base.sites, &Device::Cpu)?;
    let config = (**method).as_any();
    let more = match config.downcast_ref::<LoraConfig>() {
        Some(lora) if !lora.use_gating => json!({"bias": "none", "fan_in_fan_out": false}),
        None if config.is::<Ia3Config>() => json!({"fan_in_fan_out": false, "init_ia3_weights": true}),
        _ => {
            let reason = "is not among the methods that peft folders can hold; known: LORA without use_gating, IA3";
            let (kind, field) = (method.typetag_name().to_owned(), "peft_type");
            return Err(Error::InvalidConfig { kind, field, reason: reason.to_owned() });
        }
    };
    let mut config = config::text(method.as_ref(), base, more)?;
    config.push('\n');
    let tensors = write_weights(adapter, base)?;
    PeftFolder::new(path, config, tensors).write()
}
