//! LoRA in AdapterHub's files.

use std::num::NonZeroUsize;

use peft_core::{Result, Sites, TargetedModule, nonzero};
use peft_lora::{LoraBias, LoraConfig};
use serde::Deserialize;
use serde_json::{Value, json};
use smart_default::SmartDefault;

use super::fields::{refused, unsupported};
use super::placement::LoraPlacement;

/// The fields of AdapterHub's `LoRAConfig` that say what is computed.
#[derive(Debug, Deserialize, SmartDefault)]
#[serde(default)]
pub(super) struct LoraFields {
    #[serde(flatten)]
    pub(super) placement: LoraPlacement,
    #[default(nonzero(8))]
    pub(super) r: NonZeroUsize,
    #[default(8.)]
    pub(super) alpha: f64,
    dropout: f64,
    #[default("add")]
    pub(super) composition_mode: String,
    pub(super) use_gating: bool,
    use_dora: bool,
    vera_d: Option<Value>,
    vera_b: Option<Value>,
}

impl LoraFields {
    /// Refuses VeRA, whose fields these also are.
    pub(super) fn check(&self) -> Result<()> {
        match self.vera_d.is_some() || self.vera_b.is_some() {
            true => Err(unsupported("vera_d", "asks for VeRA, which is not supported")),
            false => Ok(()),
        }
    }
}

/// The method of these fields.
pub(super) fn read(fields: &LoraFields, sites: &Sites) -> Result<LoraConfig> {
    let r = fields.r.get() as f64;
    if fields.use_dora && fields.alpha != r {
        let reason =
            "comes with an alpha that is not r: AdapterHub then leaves the scale out of the norm it divides by";
        return Err(unsupported("use_dora", reason));
    }
    Ok(LoraConfig {
        r: fields.r,
        // AdapterHub's gate replaces the scale.
        lora_alpha: if fields.use_gating { r } else { fields.alpha },
        lora_dropout: fields.dropout,
        target_modules: fields.placement.target_modules(sites),
        use_dora: fields.use_dora,
        use_gating: fields.use_gating,
        ..LoraConfig::default()
    })
}

/// All of AdapterHub's fields for `config`, which acts at `targets`.
pub(super) fn describe(config: &LoraConfig, targets: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    let placement = LoraPlacement::of(targets, sites, "LORA")?;
    if !config.modules_to_save.is_empty() {
        return Err(refused("LORA", "modules_to_save", "asks for whole weights, which AdapterHub's files do not hold"));
    }
    let biases = [("bias", config.bias != LoraBias::None), ("lora_bias", config.lora_bias)];
    if let Some((field, _)) = biases.into_iter().find(|(_, on)| *on) {
        return Err(refused("LORA", field, "asks for biases, which AdapterHub's files do not hold"));
    }
    let mut scales = targets.iter().map(|target| scale(config, target));
    let (r, alpha) = scales.next().unwrap_or((config.r.get(), config.lora_alpha));
    if scales.any(|other| other != (r, alpha)) {
        let reason = "gives modules different ranks or scales; AdapterHub has one r and one alpha";
        return Err(refused("LORA", "rank_pattern", reason));
    }
    let scaling = if config.use_rslora { alpha / (r as f64).sqrt() } else { alpha / r as f64 };
    for (field, on) in [("use_gating", config.use_gating), ("use_dora", config.use_dora)] {
        if on && scaling != 1. {
            let reason = format!("comes with the scale {scaling}; AdapterHub computes the same for the scale 1 only");
            return Err(refused("LORA", field, reason));
        }
    }
    Ok(describe_with(&LoraConfig { lora_alpha: scaling * r as f64, ..config.clone() }, r, &placement))
}

/// The rank and the numerator of the scale at a site.
fn scale(config: &LoraConfig, target: &TargetedModule) -> (usize, f64) {
    let rank = config.rank_pattern.get(&target.site.path).unwrap_or(config.r);
    (rank.get(), config.alpha_pattern.get(&target.site.path).unwrap_or(config.lora_alpha))
}

/// All of AdapterHub's fields for `config`, with the rank `r`.
pub(super) fn describe_with(config: &LoraConfig, r: usize, placement: &LoraPlacement) -> Value {
    let LoraPlacement { selfattn_lora, intermediate_lora, output_lora, leave_out, attn_matrices } = placement;
    let alpha = config.lora_alpha;
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
