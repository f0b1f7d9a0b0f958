//! Which method a configuration means, and which configuration a method has: the one place that knows all methods.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Plan, Result, Sites, TargetedModule};
use serde_json::Value;

use super::bottleneck::{self, BnFields};
use super::compacter::{self, PhmFields};
use super::fields::{fields, refused, unsupported};
use super::lora::{self, LoraFields};
use super::names::{Keys, name, weights_of};
use super::prefix_parts::is_part;
use super::tensors::Tensors;
use super::{ia3, prefix};

/// The method of `config`, AdapterHub's dictionary of one method or of a union, with its weights, which are taken out of
/// `tensors`.
pub(super) fn read(config: &Value, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    match config.get("architecture").and_then(Value::as_str) {
        None => {
            let (plain, phm): (BnFields, PhmFields) = (fields(config)?, fields(config)?);
            let methods = match phm.phm_layer {
                true => compacter::read(&plain, &phm, sites)?,
                false => bottleneck::read(&plain, sites)?,
            };
            tensors.adapter(methods, sites)
        }
        Some("lora") => lora_or_ia3(&fields(config)?, tensors, sites),
        Some("prefix_tuning") => prefix::read(fields(config)?, tensors, sites),
        Some("union") => union(config, tensors, sites),
        Some(other) => Err(unsupported(
            "architecture",
            format!(
                "is {other:?}; supported are bottleneck adapters (no architecture), \"lora\", \"prefix_tuning\" and \"union\""
            ),
        )),
    }
}

fn lora_or_ia3(fields: &LoraFields, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    fields.check()?;
    match fields.composition_mode.as_str() {
        "add" => tensors.adapter(vec![Box::new(lora::read(fields, sites)?)], sites),
        "scale" => ia3::read(fields, tensors, sites),
        other => Err(unsupported("composition_mode", format!("is {other:?}, expected \"add\" or \"scale\""))),
    }
}

/// All methods of a union.
fn union(config: &Value, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    let mut whole = AdapterCheckpoint::default();
    let members = config.get("configs").and_then(Value::as_array);
    for member in members.ok_or_else(|| unsupported("configs", "is missing from a union"))? {
        let part = read(member, tensors, sites)?;
        whole.methods.extend(part.methods);
        whole.weights.extend(part.weights);
    }
    Ok(whole)
}

/// AdapterHub's dictionary of one method, which acts at `targets`.
pub(super) fn describe(method: &dyn PeftConfig, targets: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    let any = method.as_any();
    if let Some(config) = any.downcast_ref() {
        bottleneck::describe(config, targets, sites)
    } else if let Some(config) = any.downcast_ref() {
        compacter::describe(config, sites)
    } else if let Some(config) = any.downcast_ref() {
        lora::describe(config, targets, sites)
    } else if let Some(config) = any.downcast_ref() {
        ia3::describe(config, targets, sites)
    } else if let Some(config) = any.downcast_ref() {
        Ok(prefix::describe(config))
    } else {
        let reason = "is not supported; supported are BOTTLENECK, COMPACTER, LORA, IA3, PREFIX and unions";
        Err(refused(method.typetag_name(), "peft_type", reason))
    }
}

/// The weights `ours` of `plan` as the file holds them.
pub(super) fn write(plan: &Plan, ours: &BTreeMap<String, Tensor>, keys: Keys<'_>) -> Result<BTreeMap<String, Tensor>> {
    let mut theirs = prefix::write(plan, ours, keys.adapter)?;
    for (target, param) in weights_of(plan).filter(|(target, param)| !is_part(target, param)) {
        let name = name(target, param);
        let tensor = ours.get(&name).ok_or(Error::MissingKeys { keys: vec![name] })?;
        theirs.extend(keys.entry(target, param)?.write(tensor)?);
    }
    Ok(theirs)
}
