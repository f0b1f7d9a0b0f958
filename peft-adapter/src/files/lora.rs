//! LoRA and IA3 in AdapterHub's files.

use std::num::NonZeroUsize;

use peft_core::{AdapterCheckpoint, Result, Sites, TargetModules, TargetedModule, nonzero};
use peft_lora::{Ia3Config, LoraConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::architecture::unsupported;
use super::describe::refused;
use super::placement::LoraPlacement;
use super::tensors::Tensors;

/// The fields of AdapterHub's `LoRAConfig` that say what is computed.
#[derive(Debug, Deserialize)]
pub(super) struct LoraFields {
    #[serde(flatten)]
    placement: LoraPlacement,
    #[serde(default = "eight")]
    r: NonZeroUsize,
    #[serde(default = "eight_f64")]
    alpha: f64,
    #[serde(default)]
    dropout: f64,
    #[serde(default = "add")]
    composition_mode: String,
    #[serde(default)]
    use_gating: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    vera_d: Option<Value>,
    #[serde(default)]
    vera_b: Option<Value>,
}

fn eight() -> NonZeroUsize {
    nonzero(8)
}

fn eight_f64() -> f64 {
    8.
}

fn add() -> String {
    "add".to_owned()
}

/// The method of these fields, with its weights.
pub(super) fn read(fields: LoraFields, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    if fields.vera_d.is_some() || fields.vera_b.is_some() {
        return Err(unsupported("vera_d", "asks for VeRA, which is not read"));
    }
    match fields.composition_mode.as_str() {
        "add" => tensors.adapter(fields.lora(sites)?, sites),
        "scale" => fields.ia3(tensors, sites),
        other => Err(unsupported("composition_mode", format!("is {other:?}, expected \"add\" or \"scale\""))),
    }
}

impl LoraFields {
    fn lora(&self, sites: &Sites) -> Result<LoraConfig> {
        let r = self.r.get() as f64;
        if self.use_dora && self.alpha != r {
            let reason =
                "comes with an alpha that is not r: AdapterHub then leaves the scale out of the norm it divides by";
            return Err(unsupported("use_dora", reason));
        }
        Ok(LoraConfig {
            r: self.r,
            // AdapterHub's gate takes the place of the scale.
            lora_alpha: if self.use_gating { r } else { self.alpha },
            lora_dropout: self.dropout,
            target_modules: self.placement.target_modules(sites),
            use_dora: self.use_dora,
            use_gating: self.use_gating,
            ..LoraConfig::default()
        })
    }

    /// IA3: outputs are multiplied by `alpha · B`.
    fn ia3(&self, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
        if self.r.get() != 1 {
            return Err(unsupported("r", format!("is {}, expected 1 with composition_mode \"scale\"", self.r)));
        }
        if self.use_gating {
            return Err(unsupported("use_gating", "is true with composition_mode \"scale\", which is not read"));
        }
        let config = Ia3Config {
            target_modules: self.placement.target_modules(sites),
            feedforward_modules: TargetModules::Suffixes(Vec::new()),
            ..Ia3Config::default()
        };
        let mut adapter = tensors.adapter(config, sites)?;
        if self.alpha != 1. {
            for scale in adapter.weights.values_mut() {
                *scale = (&*scale * self.alpha)?;
            }
        }
        Ok(adapter)
    }
}

/// AdapterHub's fields for `config`, which acts at `entries`.
pub(super) fn describe(config: &LoraConfig, entries: &[&TargetedModule], placement: &LoraPlacement) -> Result<Value> {
    if !config.modules_to_save.is_empty() {
        return Err(refused("LORA", "modules_to_save", "asks for whole weights, which AdapterHub's files do not hold"));
    }
    let mut scales = entries.iter().map(|target| scale(config, target));
    let (r, alpha) = scales.next().unwrap_or((config.r.get(), config.lora_alpha));
    if scales.any(|other| other != (r, alpha)) {
        let reason = "gives modules ranks or scales of their own; AdapterHub has one r and one alpha";
        return Err(refused("LORA", "rank_pattern", reason));
    }
    let scaling = if config.use_rslora { alpha / (r as f64).sqrt() } else { alpha / r as f64 };
    for (field, on) in [("use_gating", config.use_gating), ("use_dora", config.use_dora)] {
        if on && scaling != 1. {
            let reason = format!("goes with the scale {scaling} here; AdapterHub computes that with the scale 1 only");
            return Err(refused("LORA", field, reason));
        }
    }
    Ok(fields(placement, r, scaling * r as f64, config))
}

/// The rank and the numerator of the scale at a site.
fn scale(config: &LoraConfig, target: &TargetedModule) -> (usize, f64) {
    let rank = config.rank_pattern.get(&target.site.path).unwrap_or(config.r);
    (rank.get(), config.alpha_pattern.get(&target.site.path).unwrap_or(config.lora_alpha))
}

/// AdapterHub's fields for `config`, which acts at `entries`.
pub(super) fn describe_ia3(
    config: &Ia3Config,
    entries: &[&TargetedModule],
    placement: &LoraPlacement,
) -> Result<Value> {
    if let Some(target) = entries.iter().find(|target| config.feedforward_modules.matches(&target.site)) {
        let reason = format!("rescales the input of {}; AdapterHub rescales outputs only", target.site.path);
        return Err(refused("IA3", "feedforward_modules", reason));
    }
    let mut fields = fields(placement, 1, 1., &LoraConfig::default());
    for (name, value) in [("composition_mode", "scale"), ("init_weights", "ia3")] {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert(name.to_owned(), value.into());
        }
    }
    Ok(fields)
}

fn fields(placement: &LoraPlacement, r: usize, alpha: f64, config: &LoraConfig) -> Value {
    let LoraPlacement { selfattn_lora, intermediate_lora, output_lora, leave_out, attn_matrices } = placement;
    // AdapterHub's alpha is a whole number, though it computes with any.
    let alpha = if alpha.fract() == 0. { json!(alpha as i64) } else { json!(alpha) };
    json!({
        "alpha": alpha,
        "architecture": "lora",
        "attn_matrices": attn_matrices,
        "composition_mode": "add",
        "dropout": config.lora_dropout,
        "dtype": null,
        "init_weights": "lora",
        "init_weights_seed": null,
        "intermediate_lora": intermediate_lora,
        "leave_out": leave_out,
        "output_lora": output_lora,
        "r": r,
        "selfattn_lora": selfattn_lora,
        "use_dora": config.use_dora,
        "use_gating": config.use_gating,
        "vera_b": null,
        "vera_d": null,
    })
}
