//! A union of methods.

use peft_core::{PeftConfig, PeftModule, Result, Site, Sites};
use serde::{Deserialize, Serialize};

use super::chain::Chain;

/// Several methods as one.
///
/// Methods that act at the same site act one after the other, in this order. Use a union where one method is expected. A
/// list of methods computes the same, and is stricter: there every method must match a site, in a union only one of them.
///
/// ```
/// use peft_adapter::{PrefixConfig, UnionConfig};
/// use peft_core::PeftConfig;
/// use peft_lora::LoraConfig;
///
/// let config = UnionConfig::new().method(LoraConfig::default()).method(PrefixConfig::new(10).flat(true));
/// // In a configuration file:
/// let same: Box<dyn PeftConfig> = serde_json::from_str(
///     r#"{"peft_type": "UNION", "configs": [
///         {"peft_type": "LORA"},
///         {"peft_type": "PREFIX", "prefix_length": 10, "flat": true}
///     ]}"#,
/// )?;
/// # assert_eq!(serde_json::to_value(Box::new(config) as Box<dyn PeftConfig>)?, serde_json::to_value(same)?);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnionConfig {
    /// The methods. Default: none.
    pub configs: Vec<Box<dyn PeftConfig>>,
}

impl UnionConfig {
    /// A union without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method, which acts after those that are there.
    #[must_use]
    pub fn method(mut self, config: impl PeftConfig + 'static) -> Self {
        self.configs.push(Box::new(config));
        self
    }
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

    fn check_sites(&self, sites: &Sites) -> Result<()> {
        self.configs.iter().try_for_each(|config| config.check_sites(sites))
    }
}
