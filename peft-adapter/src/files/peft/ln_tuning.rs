//! Layer-norm tuning in `peft` folders, which hold the whole weight and bias of each norm: `<norm>.ln_tuning_layers.weight` is `w + δ`.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_core::{AdapterCheckpoint, Result, TargetModules, TargetedModule};
use peft_lora::DeltaNames;
use peft_lora::files::{BaseModel, PeftFolder, read_weights, write_weights};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::LnTuningConfig;

/// What is read of `adapter_config.json`.
#[derive(Deserialize)]
struct LnTuning {
    target_modules: Option<TargetModules>,
    exclude_modules: Option<TargetModules>,
    modules_to_save: Option<Vec<String>>,
}

pub(super) fn read(folder: &PeftFolder, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let LnTuning { target_modules, exclude_modules, modules_to_save } = folder.parse()?;
    if exclude_modules.is_some() {
        return Err(folder.unsupported("exclude_modules is set, which is not supported for LN_TUNING"));
    }
    let modules_to_save = modules_to_save.unwrap_or_default();
    read_weights(folder, Box::new(LnTuningConfig { target_modules, modules_to_save }), base)
}

/// The fields of the configuration, and the weights by name.
pub(super) fn write(
    config: &LnTuningConfig,
    adapter: &AdapterCheckpoint,
    base: &BaseModel<'_>,
) -> Result<(Value, BTreeMap<String, Tensor>)> {
    let (plan, _) = adapter.build(base.sites, &Device::Cpu)?;
    let is_norm =
        |target: &&TargetedModule| target.params.iter().any(|param| param.name == DeltaNames::LN_TUNING.weight);
    let paths: Vec<&str> = plan.targets().iter().filter(is_norm).map(|target| target.site.path.as_str()).collect();
    let saved = Some(&config.modules_to_save).filter(|modules| !modules.is_empty());
    let fields = json!({"exclude_modules": null, "modules_to_save": saved, "target_modules": paths});
    Ok((fields, write_weights(adapter, base)?))
}
