//! Mix-and-match adapters and UniPELT.

use peft_core::{PeftConfig, PeftModule, Result, Site, Sites, nonzero, setters};
use peft_lora::LoraConfig;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::UnionConfig;
use crate::{BottleneckConfig, PrefixConfig};

/// Mix-and-match adapters (He et al. 2022, *Towards a Unified View of Parameter-Efficient Transfer Learning*,
/// arXiv 2110.04366, section 4.6): a prefix in every attention and a scaled adapter parallel to every feed-forward block.
///
/// Names and defaults are AdapterHub's. A configuration file may give some fields of a member; the others keep the values of
/// this preset.
///
/// ```
/// use peft_adapter::{BottleneckConfig, MamConfig};
///
/// let config = MamConfig::new().adapter(BottleneckConfig::par_bn().reduction_factor(4.));
/// # assert_eq!(config.adapter.scaling, 4.);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MamConfig {
    /// The prefixes. Default: [`PrefixConfig::default`] with `bottleneck_size` 800.
    #[serde(deserialize_with = "mam_prefix")]
    pub prefix_tuning: PrefixConfig,
    /// The adapters. Default: [`BottleneckConfig::par_bn`].
    #[serde(deserialize_with = "mam_adapter")]
    pub adapter: BottleneckConfig,
}

impl Default for MamConfig {
    fn default() -> Self {
        Self {
            prefix_tuning: PrefixConfig { bottleneck_size: nonzero(800), ..PrefixConfig::default() },
            adapter: BottleneckConfig::par_bn(),
        }
    }
}

setters! {
    MamConfig {
        prefix_tuning => prefix_tuning: PrefixConfig,
        adapter => adapter: BottleneckConfig,
    }
}

impl MamConfig {
    /// The preset.
    pub fn new() -> Self {
        Self::default()
    }

    /// The members as a union.
    pub fn union(&self) -> UnionConfig {
        UnionConfig::new().method(self.prefix_tuning.clone()).method(self.adapter.clone())
    }
}

#[typetag::serde(name = "MAM")]
impl PeftConfig for MamConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        self.union().module(site)
    }

    fn check_sites(&self, sites: &Sites) -> Result<()> {
        self.union().check_sites(sites)
    }
}

/// UniPELT (Mao et al. 2022, *UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning*, arXiv 2110.07577,
/// section 3): prefixes, sequential adapters after feed-forward blocks and LoRA on `q` and `v`, each with a gate.
///
/// Names and defaults are AdapterHub's. A configuration file may give some fields of a member; the others keep the values of
/// this preset. `use_gating` is always on, whatever the members say.
///
/// ```
/// use peft_adapter::UniPeltConfig;
/// use peft_lora::LoraConfig;
///
/// let config = UniPeltConfig::new().lora(LoraConfig::new(4));
/// # assert_eq!(config.lora.r.get(), 4);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UniPeltConfig {
    /// The prefixes. Default: [`PrefixConfig::default`] with `prefix_length` 10.
    #[serde(deserialize_with = "unipelt_prefix")]
    pub prefix_tuning: PrefixConfig,
    /// The adapters. Default: [`BottleneckConfig::seq_bn`] with `reduction_factor` 16.
    #[serde(deserialize_with = "unipelt_adapter")]
    pub adapter: BottleneckConfig,
    /// LoRA. Default: `r = 8`, `lora_alpha = 2`.
    #[serde(deserialize_with = "unipelt_lora")]
    pub lora: LoraConfig,
}

impl Default for UniPeltConfig {
    fn default() -> Self {
        Self {
            prefix_tuning: PrefixConfig { prefix_length: nonzero(10), use_gating: true, ..PrefixConfig::default() },
            adapter: BottleneckConfig { reduction_factor: 16., use_gating: true, ..BottleneckConfig::seq_bn() },
            lora: LoraConfig { r: nonzero(8), lora_alpha: 2., use_gating: true, ..LoraConfig::default() },
        }
    }
}

setters! {
    UniPeltConfig {
        prefix_tuning => prefix_tuning: PrefixConfig,
        adapter => adapter: BottleneckConfig,
        lora => lora: LoraConfig,
    }
}

impl UniPeltConfig {
    /// The preset.
    pub fn new() -> Self {
        Self::default()
    }

    /// The members as a union, with their gates.
    pub fn union(&self) -> UnionConfig {
        UnionConfig::new()
            .method(self.prefix_tuning.clone().use_gating(true))
            .method(self.adapter.clone().use_gating(true))
            .method(self.lora.clone().use_gating(true))
    }
}

#[typetag::serde(name = "UNIPELT")]
impl PeftConfig for UniPeltConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        self.union().module(site)
    }

    fn check_sites(&self, sites: &Sites) -> Result<()> {
        self.union().check_sites(sites)
    }
}

/// `preset` with the fields that are given. Serde's own defaults are those of the member's type, not of the preset.
fn over<'de, D: Deserializer<'de>, T: Serialize + DeserializeOwned>(given: D, preset: &T) -> Result<T, D::Error> {
    let given = Value::deserialize(given)?;
    let merged = match (serde_json::to_value(preset).map_err(D::Error::custom)?, given) {
        (Value::Object(mut fields), Value::Object(given)) => {
            fields.extend(given);
            Value::Object(fields)
        }
        (_, given) => given,
    };
    peft_files::from_json_value(&merged).map_err(D::Error::custom)
}

fn mam_prefix<'de, D: Deserializer<'de>>(given: D) -> Result<PrefixConfig, D::Error> {
    over(given, &MamConfig::default().prefix_tuning)
}

fn mam_adapter<'de, D: Deserializer<'de>>(given: D) -> Result<BottleneckConfig, D::Error> {
    over(given, &MamConfig::default().adapter)
}

fn unipelt_prefix<'de, D: Deserializer<'de>>(given: D) -> Result<PrefixConfig, D::Error> {
    over(given, &UniPeltConfig::default().prefix_tuning)
}

fn unipelt_adapter<'de, D: Deserializer<'de>>(given: D) -> Result<BottleneckConfig, D::Error> {
    over(given, &UniPeltConfig::default().adapter)
}

fn unipelt_lora<'de, D: Deserializer<'de>>(given: D) -> Result<LoraConfig, D::Error> {
    over(given, &UniPeltConfig::default().lora)
}
