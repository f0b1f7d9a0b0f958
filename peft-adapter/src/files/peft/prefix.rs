//! Prefix tuning in `peft` folders.
//!
//! `peft` makes the table for `num_transformer_submodules` parts of the model, two for an encoder-decoder. It then joins two
//! copies of the table, cuts the result into one piece for each layer, gives the first half of each piece to self-attention
//! and does not use the other half. So layer `i` of `L` reads part `2i mod L` of the table. With one part, for a decoder-only
//! model, layer `i` reads part `i`.
//!
//! `peft` fails on T5 with a table for one part. We write a table for two parts and an odd `num_layers` (one more than the
//! decoder has where that number is even), because then no two layers read the same part. A projected prefix is written as
//! the output of its network, as `peft` does.

use candle_core::{DType, Device, Tensor};
use peft_core::{AdapterCheckpoint, PEFT_PREFIX, PeftConfig, Plan, Result, SiteKind, TargetedModule};
use peft_lora::files::{BaseModel, PeftFolder, SEQ_2_SEQ_LM};
use serde_json::json;

use super::table::{self, Fields, SUBMODULES, Written, heads};
use crate::PrefixTuningConfig;

/// The part of `peft`'s table that a layer's self-attention reads.
fn part_of(layer: usize, submodules: usize, layers: usize) -> usize {
    (submodules * layer) % layers.max(1)
}

pub(super) fn read(folder: &PeftFolder, fields: &Fields, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let sites = base.sites;
    let num_virtual_tokens = fields.tokens(folder)?;
    // If there was a projection, the folder holds its output.
    let config =
        PrefixTuningConfig { num_virtual_tokens, decode_as_transformers: true, ..PrefixTuningConfig::default() };
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(config)];
    let plan = Plan::resolve(sites, &methods)?;
    let layers = fields.num_layers.unwrap_or(plan.targets().len());
    if layers < plan.targets().len() {
        return Err(folder.unsupported(format!(
            "num_layers is {layers}, but this backbone's decoder has {} layers: the others would have no prefix",
            plan.targets().len()
        )));
    }
    let both = features(plan.targets());
    let table = table::read(folder, base, [num_virtual_tokens.get(), layers * both])?;
    let submodules = fields.submodules(folder)?;
    let one = |(layer, target): (usize, &TargetedModule)| {
        let part = part_of(layer, submodules, layers);
        let name = target.params.first().map(|param| target.key(param)).unwrap_or_default();
        Ok((format!("{PEFT_PREFIX}.{name}"), table.narrow(1, part * both, both)?.contiguous()?))
    };
    let weights = plan.targets().iter().enumerate().map(one).collect::<Result<_>>()?;
    Ok(AdapterCheckpoint { methods, weights })
}

/// Features of keys and values together.
fn features(targets: &[TargetedModule]) -> usize {
    let of = |target: &TargetedModule| match target.site.kind {
        SiteKind::KeyValue { dim, .. } => Some(2 * dim),
        _ => None,
    };
    targets.iter().find_map(of).unwrap_or_default()
}

pub(super) fn write(config: &PrefixTuningConfig, adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<Written> {
    let sites = base.sites;
    let (plan, weights) = adapter.build(sites, &Device::Cpu)?;
    let submodules = if base.task_type() == Some(SEQ_2_SEQ_LM) { SUBMODULES } else { 1 };
    let (num_virtual_tokens, both) = (config.num_virtual_tokens.get(), features(plan.targets()));
    let layers = if submodules == 1 { plan.targets().len() } else { plan.targets().len() | 1 };
    let mut parts = vec![Tensor::zeros((num_virtual_tokens, both), DType::F32, &Device::Cpu)?; layers];
    for (layer, target) in plan.targets().iter().enumerate() {
        if let Some(part) = parts.get_mut(part_of(layer, submodules, layers)) {
            *part = config.rows(&target.site, weights.of_target(layer))?;
        }
    }
    let fields = json!({
        "encoder_hidden_size": config.encoder_hidden_size,
        "init_weights": null,
        "num_attention_heads": heads(sites),
        "num_layers": layers,
        "num_transformer_submodules": submodules,
        "prefix_projection": false,
        "token_dim": both / 2,
    });
    Ok(Written { num_virtual_tokens, table: Tensor::cat(&parts, 1)?, fields })
}
