//! Layer-norm tuning in `peft` folders.

use peft_core::{AdapterCheckpoint, Result, TargetModules};
use peft_lora::files::{BaseModel, PeftFolder, read_weights};
use serde::Deserialize;

use crate::LnTuningConfig;

/// The keys that we read.
#[derive(Deserialize)]
struct Fields {
    target_modules: Option<TargetModules>,
    exclude_modules: Option<TargetModules>,
    modules_to_save: Option<Vec<String>>,
}

pub(super) fn read(folder: &PeftFolder, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let Fields { target_modules, exclude_modules, modules_to_save } = folder.parse()?;
    if exclude_modules.is_some() {
        return Err(folder.unsupported("exclude_modules is set, which is not supported for LN_TUNING"));
    }
    let modules_to_save = modules_to_save.unwrap_or_default();
    read_weights(folder, Box::new(LnTuningConfig { target_modules, modules_to_save }), base)
}
