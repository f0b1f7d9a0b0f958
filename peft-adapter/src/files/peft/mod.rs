//! Hugging Face `peft` folders: prompt, prefix and layer-norm tuning here, all other methods in [`peft_lora::files`].

mod ln_tuning;
mod prefix;
mod prompt;
mod table;

use std::path::Path;

use candle_core::Device;
use peft_core::{AdapterCheckpoint, Error, Result};
use peft_lora::files::{BaseModel, PeftFolder};
use serde_json::json;

use super::json::with;
use crate::{LnTuningConfig, PrefixTuningConfig, PromptTuningConfig};
use table::Fields;

const PROMPT_TUNING: &str = "PROMPT_TUNING";
const PREFIX_TUNING: &str = "PREFIX_TUNING";
const LN_TUNING: &str = "LN_TUNING";

/// Reads the adapter in the `peft` folder at `path` for the backbone `base`: prompt tuning, prefix tuning, layer-norm tuning, and what
/// [`peft_lora::files::read_peft`] reads. DoRA, layer-norm tuning, `modules_to_save` and biases need the backbone's tensors.
///
/// # Errors
/// [`Error::File`] if a file is missing, cannot be read or asks for what is not supported; [`Error::UnknownKeys`],
/// [`Error::MissingKeys`] or [`Error::ShapeMismatch`] if the adapter was made for another backbone.
pub fn read_peft(path: impl AsRef<Path>, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let (path, sites) = (path.as_ref(), base.sites);
    let folder = PeftFolder::read(path)?;
    let fields: Fields = folder.parse()?;
    let read = match fields.peft_type.as_str() {
        PROMPT_TUNING => prompt::read,
        PREFIX_TUNING => prefix::read,
        LN_TUNING => return ln_tuning::read(&folder, base),
        known if peft_lora::files::TYPES.contains(&known) => return peft_lora::files::read_peft(path, base),
        other => {
            let known = [&peft_lora::files::TYPES[..], &[PROMPT_TUNING, PREFIX_TUNING, LN_TUNING]].concat();
            return Err(folder.unknown_type(other, &known));
        }
    };
    fields.check(&folder)?;
    let adapter = read(&folder, &fields, base)?;
    adapter.build(sites, &Device::Cpu)?;
    Ok(adapter)
}

/// Writes `adapter`, of one method, to the folder at `path` as `peft` does: prompt tuning, prefix tuning, layer-norm tuning, and what
/// [`peft_lora::files::write_peft`] writes.
///
/// # Errors
/// [`Error::InvalidConfig`] for a method that such folders cannot hold; [`Error::File`] if a file cannot be written.
pub fn write_peft(path: impl AsRef<Path>, adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<()> {
    let method = match adapter.methods.as_slice() {
        [method] => Some((**method).as_any()),
        _ => None,
    };
    let (kind, fields, tensors) = if method.is_some_and(|config| config.is::<PromptTuningConfig>()) {
        let (fields, tensors) = prompt::write(adapter, base.sites)?.into_parts();
        (PROMPT_TUNING, fields, tensors)
    } else if let Some(config) = method.and_then(|config| config.downcast_ref::<PrefixTuningConfig>()) {
        let (fields, tensors) = prefix::write(config, adapter, base)?.into_parts();
        (PREFIX_TUNING, fields, tensors)
    } else if let Some(config) = method.and_then(|config| config.downcast_ref::<LnTuningConfig>()) {
        let (fields, tensors) = ln_tuning::write(config, adapter, base)?;
        (LN_TUNING, fields, tensors)
    } else {
        return peft_lora::files::write_peft(path, adapter, base);
    };
    let common = json!({
        "auto_mapping": null,
        "base_model_name_or_path": base.name,
        "inference_mode": true,
        "modules_to_save": null,
        "peft_type": kind,
        "revision": null,
        "task_type": base.task_type(),
    });
    let config = serde_json::to_string_pretty(&with(common, fields));
    let config = config.map_err(|e| Error::Mismatch(e.to_string()))? + "\n";
    PeftFolder::new(path, config, tensors).write()
}
