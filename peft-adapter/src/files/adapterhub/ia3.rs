//! IA3 in AdapterHub's files: a LoRA of rank 1 without an A, which scales the output by `alpha · B`.

use peft_core::{AdapterCheckpoint, Result, Sites, TargetModules, TargetedModule};
use peft_lora::{Ia3Config, LoraConfig};
use serde_json::{Value, json};

use super::fields::{refused, unsupported};
use super::lora::{LoraFields, describe_with};
use super::placement::LoraPlacement;
use super::tensors::Tensors;
use crate::files::json::with;

/// The method of these fields, with its weights.
pub(super) fn read(fields: &LoraFields, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    if fields.r.get() != 1 {
        return Err(unsupported("r", format!("is {}, expected 1 with composition_mode \"scale\"", fields.r)));
    }
    if fields.use_gating {
        return Err(unsupported("use_gating", "is true with composition_mode \"scale\", which is not supported"));
    }
    let config = Ia3Config {
        target_modules: fields.placement.target_modules(sites),
        feedforward_modules: TargetModules::Suffixes(Vec::new()),
        ..Ia3Config::default()
    };
    let mut adapter = tensors.adapter(vec![Box::new(config)], sites)?;
    if fields.alpha != 1. {
        for scale in adapter.weights.values_mut() {
            *scale = (&*scale * fields.alpha)?;
        }
    }
    Ok(adapter)
}

/// All of AdapterHub's fields for `config`, which acts at `targets`.
pub(super) fn describe(config: &Ia3Config, targets: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    let placement = LoraPlacement::of(targets, sites, "IA3")?;
    if !config.modules_to_save.is_empty() {
        return Err(refused("IA3", "modules_to_save", "asks for whole weights, which AdapterHub's files do not hold"));
    }
    if let Some(target) = targets.iter().find(|target| config.feedforward_modules.matches(&target.site)) {
        let reason = format!("rescales the input of {}; AdapterHub rescales outputs only", target.site.path);
        return Err(refused("IA3", "feedforward_modules", reason));
    }
    let lora = describe_with(&LoraConfig { lora_alpha: 1., ..LoraConfig::default() }, 1, &placement);
    Ok(with(lora, json!({"composition_mode": "scale", "init_weights": "ia3"})))
}
