//! The fields of `adapter_config.json`: how they are read, and the errors that name one.

use peft_core::{Error, Result};
use peft_lora::files::CONFIG_FILE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::NonLinearity;

/// The fields of one method.
pub(super) fn fields<T: DeserializeOwned>(config: &Value) -> Result<T> {
    peft_files::from_json_value(config).map_err(|reason| unsupported("config", reason))
}

/// The function that AdapterHub calls `name`, whatever the case of its letters.
pub(super) fn non_linearity(name: &str) -> Result<NonLinearity> {
    NonLinearity::deserialize(Value::from(name.to_lowercase()))
        .map_err(|e| unsupported("non_linearity", format!("is {name:?}: {e}")))
}

/// A field of `adapter_config.json` has a value that this crate has no equal for.
pub(super) fn unsupported(field: &'static str, reason: impl Into<String>) -> Error {
    refused(CONFIG_FILE, field, reason)
}

/// A field of the method `kind` of this crate has a value that AdapterHub's files cannot hold.
pub(super) fn refused(kind: &str, field: &'static str, reason: impl Into<String>) -> Error {
    Error::InvalidConfig { kind: kind.to_owned(), field, reason: reason.into() }
}
