//! Which method a configuration of AdapterHub means: the one place that knows all of them.

use peft_core::{Adapter, Error, Result, Sites};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bottleneck;
use super::tensors::Tensors;

/// The method of `config`, AdapterHub's dictionary of one method or of a union, with its weights, which are taken out of
/// `tensors`.
pub(super) fn read(config: &Value, tensors: &mut Tensors, sites: &Sites) -> Result<Adapter> {
    match config.get("architecture").and_then(Value::as_str) {
        None => bottleneck::read(fields(config)?, tensors, sites),
        Some(other) => Err(unsupported("architecture", format!("is {other:?}, which is not read"))),
    }
}

/// The fields of one method.
pub(super) fn fields<T: DeserializeOwned>(config: &Value) -> Result<T> {
    T::deserialize(config).map_err(|e| unsupported("config", e.to_string()))
}

/// A field of `adapter_config.json` whose value has no equal here.
pub(super) fn unsupported(field: &'static str, reason: impl Into<String>) -> Error {
    Error::InvalidConfig { kind: "adapter_config.json".to_owned(), field, reason: reason.into() }
}
