//! Hugging Face `peft` folders of LoRA, rsLoRA, DoRA and IA3, in and out.
//!
//! A folder has `adapter_config.json` and `adapter_model.safetensors`, whose keys are `base_model.model.<site path>.<weight>`
//! without the adapter's name. Two kinds of values differ from ours, because ours begin at zero whatever the backbone's
//! weights are: DoRA's magnitudes (`peft`: `m`; ours: `m - ‖W‖`) and the weights of `modules_to_save` (`peft`: `W + ΔW`;
//! ours: `ΔW`). Reading and writing therefore need the backbone's weights.

mod config;
mod folder;
mod keys;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Result, Sites};

pub use folder::{CONFIG_FILE, PeftFolder, WEIGHTS_FILE};
use keys::Keys;

/// The adapter in the folder at `path`, for a backbone with these sites and the parameters `base` by name.
///
/// # Errors
/// [`Error::File`] if a file is missing, cannot be read or asks for what is not supported; [`Error::UnknownKeys`],
/// [`Error::MissingKeys`] or [`Error::ShapeMismatch`] if it was made for another backbone or rank.
pub fn read_peft(path: impl AsRef<Path>, base: &BTreeMap<String, Tensor>, sites: &Sites) -> Result<AdapterCheckpoint> {
    let folder = PeftFolder::read(path)?;
    let method: Box<dyn PeftConfig> = match folder.parse::<config::Kind>()?.peft_type.as_str() {
        "LORA" => Box::new(config::read_lora(&folder)?),
        "IA3" => Box::new(config::read_ia3(&folder)?),
        other => {
            return Err(folder.unsupported(format!("peft_type is {other:?}; this reads LORA and IA3")));
        }
    };
    let adapter = AdapterCheckpoint { methods: vec![method], weights: BTreeMap::new() };
    let plan = adapter.plan(sites)?;
    let weights = Keys::of(&plan, base).read(folder.tensors)?;
    let adapter = AdapterCheckpoint { weights, ..adapter };
    adapter.build(sites, &candle_core::Device::Cpu)?;
    Ok(adapter)
}

/// Writes `adapter`, of one method, to the folder at `path` as `peft` would. `base_model` is the name of the backbone, which
/// `peft` does not need for loading.
///
/// # Errors
/// [`Error::InvalidConfig`] for a method that such folders have no place for; [`Error::File`] if a file cannot be written.
pub fn write_peft(
    path: impl AsRef<Path>,
    adapter: &AdapterCheckpoint,
    base: &BTreeMap<String, Tensor>,
    sites: &Sites,
    base_model: Option<&str>,
) -> Result<()> {
    let [method] = adapter.methods.as_slice() else {
        let reason = format!("a peft folder holds one method, this adapter has {}", adapter.methods.len());
        return Err(Error::Mismatch(reason));
    };
    adapter.build(sites, &candle_core::Device::Cpu)?;
    let value = serde_json::to_value(method).map_err(|e| Error::Mismatch(e.to_string()))?;
    let kind = method.typetag_name();
    if !matches!(kind, "LORA" | "IA3") || value.get("use_gating").and_then(serde_json::Value::as_bool) == Some(true) {
        return Err(Error::InvalidConfig {
            kind: kind.to_owned(),
            field: "peft_type",
            reason: "is not among what peft folders hold as we compute it; known: LORA without use_gating, IA3"
                .to_owned(),
        });
    }
    let more = match kind {
        "LORA" => serde_json::json!({"bias": "none", "fan_in_fan_out": false}),
        _ => serde_json::json!({"fan_in_fan_out": false, "init_ia3_weights": true}),
    };
    let mut config = config::text(method.as_ref(), base_model, more)?;
    config.push('\n');
    let plan = adapter.plan(sites)?;
    let tensors = Keys::of(&plan, base).write(&adapter.weights)?;
    PeftFolder { path: path.as_ref().to_path_buf(), config, tensors }.write()
}
