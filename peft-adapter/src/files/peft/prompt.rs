//! Prompt tuning in `peft` folders.
//!
//! `peft` makes the table for `num_transformer_submodules` parts of the model, two for an encoder-decoder, but uses only the
//! first `num_virtual_tokens` rows. We read those rows, and write a table for one part.

use candle_core::Device;
use peft_core::{AdapterCheckpoint, PEFT_PREFIX, PeftConfig, Plan, Result, SiteKind, Sites};
use peft_lora::files::{BaseModel, PeftFolder};
use serde_json::json;

use super::table::{self, Fields, Written, heads};
use crate::PromptTuningConfig;
use crate::prompt::PROMPT_EMBEDDINGS;

pub(super) fn read(folder: &PeftFolder, fields: &Fields, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let sites = base.sites;
    let num_virtual_tokens = fields.tokens(folder)?;
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(PromptTuningConfig { num_virtual_tokens })];
    let plan = Plan::resolve(sites, &methods)?;
    let width = plan.targets().iter().find_map(|target| match target.site.kind {
        SiteKind::Input { dim } => Some(dim),
        _ => None,
    });
    let tokens = num_virtual_tokens.get();
    let table = table::read(folder, base, [tokens * fields.submodules(folder)?, width.unwrap_or_default()])?;
    let ours = table.narrow(0, 0, tokens)?.contiguous()?;
    Ok(AdapterCheckpoint { methods, weights: [(format!("{PEFT_PREFIX}.{PROMPT_EMBEDDINGS}"), ours)].into() })
}

pub(super) fn write(adapter: &AdapterCheckpoint, sites: &Sites) -> Result<Written> {
    let (_, weights) = adapter.build(sites, &Device::Cpu)?;
    let [table] = peft_core::take(weights.of_target(0))?;
    let (num_virtual_tokens, width) = table.dims2()?;
    let fields = json!({
        "num_attention_heads": heads(sites),
        "num_layers": sites.stacks().first().map(|stack| sites.layers(stack)),
        "num_transformer_submodules": 1,
        "prompt_tuning_init": "RANDOM",
        "prompt_tuning_init_text": null,
        "token_dim": width,
        "tokenizer_kwargs": null,
        "tokenizer_name_or_path": null,
    });
    Ok(Written { num_virtual_tokens, table: table.clone(), fields })
}
