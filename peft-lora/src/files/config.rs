//! `adapter_config.json` of LoRA and IA3, as `peft` writes it.

use std::num::NonZeroUsize;

use peft_core::{PeftConfig, Result, TargetModules, nonzero};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smart_default::SmartDefault;

use super::base::BaseModel;
use super::folder::PeftFolder;
use crate::{Ia3Config, LoraBias, LoraConfig, LoraInit, Patterns};

/// The keys that say which method it is.
#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) peft_type: String,
}

/// The keys of LoRA that we read.
///
/// Of the others, those in [`UNSUPPORTED`] are refused where they are set. The rest changes nothing that is computed here and is
/// ignored:
///
/// - settings of an initialization, which the weights of the file replace: `eva_config`, `corda_config`, `loftq_config`,
///   `lora_ga_config` (only `init_lora_weights` itself may change the backbone, see [`REBASING`]);
/// - settings of training alone: `velora_config` compresses what the backward pass keeps;
/// - settings for other kinds of modules: `fan_in_fan_out`, which `peft` turns off at linear maps, `megatron_config`,
///   `megatron_core`, `qalora_group_size`;
/// - `runtime_config`, `ensure_weight_tying`, and what describes the file: `peft_version`, `task_type`, `inference_mode`,
///   `auto_mapping`, `revision`, `base_model_name_or_path`.
#[derive(Deserialize, SmartDefault)]
#[serde(default)]
struct Lora {
    #[default(nonzero(8))]
    r: NonZeroUsize,
    #[default(8.)]
    lora_alpha: f64,
    lora_dropout: f64,
    target_modules: Option<TargetModules>,
    exclude_modules: Option<TargetModules>,
    layers_to_transform: Option<OneOrMany<usize>>,
    layers_pattern: Option<OneOrMany<String>>,
    rank_pattern: Option<Patterns<NonZeroUsize>>,
    alpha_pattern: Option<Patterns<f64>>,
    use_rslora: bool,
    use_dora: bool,
    bias: Option<LoraBias>,
    lora_bias: bool,
    modules_to_save: Option<Vec<String>>,
    init_lora_weights: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Initializations with which `peft` subtracts `s B A` from the backbone's weights when it creates an adapter.
///
/// It does not with `lora_ga`, because it has no gradients then, nor with `eva`, `mica`, `orthogonal` and `gaussian`.
const REBASING: [&str; 4] = ["pissa", "olora", "corda", "loftq"];

/// The keys of IA3 that we read.
#[derive(Deserialize)]
struct Ia3 {
    target_modules: Option<TargetModules>,
    feedforward_modules: Option<TargetModules>,
    exclude_modules: Option<TargetModules>,
    modules_to_save: Option<Vec<String>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected one value or a list of such values")]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Keys that change what is computed, unless they are absent or empty, with what they do.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("layer_replication", "it repeats layers of the backbone"),
    ("trainable_token_indices", "it trains rows of the embedding table"),
    ("target_parameters", "it puts LoRA on parameters that are no linear map's weight"),
    ("alora_invocation_tokens", "it turns LoRA on at certain tokens"),
    ("arrow_config", "it chooses among several adapters for each token"),
    ("kasa_config", "it removes singular values of the backbone's weights"),
    ("monteclora_config", "it draws weights at random"),
    ("use_bdlora", "it makes A or B block-diagonal"),
    ("use_qalora", "it averages groups of features"),
];

/// Refuses keys of `rest` that are not supported.
fn check_rest(folder: &PeftFolder, rest: &Map<String, Value>) -> Result<()> {
    for (key, effect) in UNSUPPORTED {
        let asked = match rest.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Object(map)) => !map.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        };
        if asked {
            return Err(folder.unsupported(format!("{key} is set, which is not supported: {effect}")));
        }
    }
    Ok(())
}

pub(super) fn read_lora(folder: &PeftFolder) -> Result<LoraConfig> {
    let file: Lora = folder.parse()?;
    check_rest(folder, &file.rest)?;
    if let Some(init) = file.init_lora_weights.as_ref().and_then(Value::as_str)
        && REBASING.iter().any(|known| init.to_lowercase().starts_with(known))
    {
        return Err(folder.unsupported(format!(
            "init_lora_weights is {init:?}: peft changes the backbone's weights when it loads such an adapter; convert it to a \
             plain LoRA first (peft: path_initial_model_for_weight_conversion)"
        )));
    }
    Ok(LoraConfig {
        r: file.r,
        lora_alpha: file.lora_alpha,
        lora_dropout: file.lora_dropout,
        target_modules: file.target_modules.unwrap_or_else(|| LoraConfig::default().target_modules),
        exclude_modules: file.exclude_modules,
        layers_to_transform: file.layers_to_transform.map(OneOrMany::into_vec),
        layers_pattern: file.layers_pattern.map(OneOrMany::into_vec).unwrap_or_default(),
        rank_pattern: file.rank_pattern.unwrap_or_default(),
        alpha_pattern: file.alpha_pattern.unwrap_or_default(),
        // The weights come from the file, so their initial values do not matter.
        init_lora_weights: LoraInit::default(),
        use_rslora: file.use_rslora,
        use_dora: file.use_dora,
        use_gating: false,
        bias: file.bias.unwrap_or_default(),
        lora_bias: file.lora_bias,
        modules_to_save: file.modules_to_save.unwrap_or_default(),
    })
}

pub(super) fn read_ia3(folder: &PeftFolder) -> Result<Ia3Config> {
    let file: Ia3 = folder.parse()?;
    check_rest(folder, &file.rest)?;
    let default = Ia3Config::default();
    Ok(Ia3Config {
        target_modules: file.target_modules.unwrap_or(default.target_modules),
        feedforward_modules: file.feedforward_modules.unwrap_or(default.feedforward_modules),
        exclude_modules: file.exclude_modules,
        modules_to_save: file.modules_to_save.unwrap_or_default(),
    })
}

/// The keys of every adapter, in addition to its method's own.
#[derive(Serialize)]
struct Common<'a> {
    base_model_name_or_path: Option<&'a str>,
    /// `None`: `peft` then makes a model that does not know what it is for, and computes the same.
    task_type: Option<&'static str>,
    inference_mode: bool,
    auto_mapping: Option<()>,
    revision: Option<()>,
}

/// The text of `adapter_config.json` for `config`: its own keys, which have `peft`'s names, and `more`.
pub(super) fn text(config: &dyn PeftConfig, base: &BaseModel<'_>, more: Value) -> Result<String> {
    let common = Common {
        base_model_name_or_path: base.name,
        task_type: base.task_type(),
        inference_mode: true,
        auto_mapping: None,
        revision: None,
    };
    let mut all = Map::new();
    for part in [serde_json::to_value(common), Ok(more), serde_json::to_value(config)] {
        let part = part.map_err(|e| peft_core::Error::Mismatch(format!("{}: {e}", config.typetag_name())))?;
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    serde_json::to_string_pretty(&all).map_err(|e| peft_core::Error::Mismatch(e.to_string()))
}
