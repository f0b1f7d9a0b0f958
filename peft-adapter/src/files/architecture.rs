//! Which method a configuration of AdapterHub means: the one place that knows all of them.

use peft_core::{AdapterCheckpoint, Error, Result, Sites};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::tensors::Tensors;
use super::{CONFIG_FILE, bottleneck, lora, prefix};

/// The method of `config`, AdapterHub's dictionary of one method or of a union, with its weights, which are taken out of
/// `tensors`.
pub(super) fn read(config: &Value, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    match config.get("architecture").and_then(Value::as_str) {
        None => bottleneck::read(fields(config)?, tensors, sites),
        Some("lora") => lora::read(fields(config)?, tensors, sites),
        Some("prefix_tuning") => prefix::read(fields(config)?, tensors, sites),
        Some("union") => union(config, tensors, sites),
        Some(other) => Err(unsupported(
            "architecture",
            format!(
                "is {other:?}; read are bottleneck adapters (no architecture), \"lora\", \"prefix_tuning\" and \"union\""
            ),
        )),
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

/// The fields of one method.
pub(super) fn fields<T: DeserializeOwned>(config: &Value) -> Result<T> {
    T::deserialize(config).map_err(|e| unsupported("config", e.to_string()))
}

/// A field of `adapter_config.json` whose value has no equal here.
pub(super) fn unsupported(field: &'static str, reason: impl Into<String>) -> Error {
    Error::InvalidConfig { kind: CONFIG_FILE.to_owned(), field, reason: reason.into() }
}
