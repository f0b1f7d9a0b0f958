//! A union of methods.

use peft_core::{Error, PeftConfig, PeftModule, Result, Site};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::{MamConfig, UniPeltConfig};

/// Several methods as one.
///
/// Where two of them act at one site they act one after the other, in this order. What a union is for is to stand where one
/// method is wanted; a list of methods computes the same, and notices a method that matches no site, which a union does not
/// as long as another one matches.
///
/// ```
/// use peft_core::PeftConfig;
/// # use peft_adapter as _;
///
/// let config: Box<dyn PeftConfig> = serde_json::from_str(
///     r#"{"peft_type": "UNION", "configs": [
///         {"peft_type": "LORA", "r": 4},
///         {"peft_type": "PREFIX", "prefix_length": 10, "flat": true}
///     ]}"#,
/// )?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnionConfig {
    /// The methods. Default: none.
    pub configs: Vec<Box<dyn PeftConfig>>,
}

#[typetag::serde(name = "UNION")]
impl PeftConfig for UnionConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let modules = self.configs.iter().filter_map(|config| config.module(site).transpose());
        let mut modules = modules.collect::<Result<Vec<_>>>()?;
        Ok(match modules.len() {
            0 | 1 => modules.pop(),
            _ => Some(Box::new(Chain(modules))),
        })
    }
}

/// The members of `method` if it is a union, or a union with a name.
///
/// # Errors
/// If the configuration does not survive a copy.
pub(crate) fn members(method: &dyn PeftConfig) -> Result<Option<Vec<Box<dyn PeftConfig>>>> {
    Ok(match method.typetag_name() {
        "UNION" => Some(copied::<UnionConfig>(method)?.configs),
        "MAM" => Some(copied::<MamConfig>(method)?.union().configs),
        "UNIPELT" => Some(copied::<UniPeltConfig>(method)?.union().configs),
        _ => None,
    })
}

/// The configuration behind the trait object.
///
/// # Errors
/// If it does not survive a copy.
pub(crate) fn copied<T: DeserializeOwned>(method: &dyn PeftConfig) -> Result<T> {
    let copy = || -> serde_json::Result<T> {
        let mut value = serde_json::to_value(method)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("peft_type");
        }
        serde_json::from_value(value)
    };
    copy().map_err(|e| Error::Mismatch(format!("{}: {e}", method.typetag_name())))
}
