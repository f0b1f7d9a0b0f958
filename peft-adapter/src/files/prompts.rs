//! Hugging Face `peft` folders of prompt and prefix tuning, beside those that `peft-lora` reads and writes.
//!
//! Their one weight is called `prompt_embeddings`. `peft` makes it for `num_transformer_submodules` parts of the model, two for
//! an encoder-decoder, but then
//!
//! - prompt tuning uses the first `num_virtual_tokens` rows and never the others;
//! - prefix tuning lays the table twice beside itself, cuts that into one piece for each layer, gives the first half of each
//!   piece to self-attention and throws the other away. Layer `i` of `L` so gets part `2i mod L` of the table.
//!
//! We write a prompt for one part. A prefix for one part makes `peft` fail on T5; we write it for two parts with an odd `num_layers`,
//! one more than there are where their number is even: then no two layers read the same part. A projected prefix is written
//! as what comes out of its network, as `peft` writes it.

use std::num::NonZeroUsize;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use peft_core::{AdapterCheckpoint, Error, PEFT_PREFIX, PeftConfig, Plan, Result, SiteKind, Sites, TargetedModule};
use peft_lora::files::{BaseModel, PeftFolder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::prompt::PROMPT_EMBEDDINGS;
use crate::union::copied;
use crate::{PrefixTuningConfig, PromptTuningConfig};

/// The parts of an encoder-decoder that `peft` makes prompts for.
const SUBMODULES: usize = 2;

/// The part of `peft`'s table that a layer's self-attention reads.
fn part_of(layer: usize, submodules: usize, layers: usize) -> usize {
    (submodules * layer) % layers.max(1)
}

/// What we read of `adapter_config.json`.
#[derive(Debug, Deserialize)]
struct Fields {
    peft_type: String,
    task_type: Option<String>,
    num_virtual_tokens: Option<NonZeroUsize>,
    num_transformer_submodules: Option<usize>,
    num_layers: Option<usize>,
    modules_to_save: Option<Vec<String>>,
}

/// The adapter in the `peft` folder at `path`, for the backbone `base`: prompt tuning,
/// prefix tuning, and what [`peft_lora::files::read_peft`] reads.
///
/// # Errors
/// [`Error::File`] if a file is missing, cannot be read or asks for what is not supported; [`Error::UnknownKeys`],
/// [`Error::MissingKeys`] or [`Error::ShapeMismatch`] if it was made for another backbone.
pub fn read_peft(path: impl AsRef<Path>, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let (path, sites) = (path.as_ref(), base.sites);
    let folder = PeftFolder::read(path)?;
    let fields: Fields = folder.parse()?;
    let read = match fields.peft_type.as_str() {
        "PROMPT_TUNING" => prompt,
        "PREFIX_TUNING" => prefix,
        _ => return peft_lora::files::read_peft(path, base),
    };
    if fields.modules_to_save.as_ref().is_some_and(|modules| !modules.is_empty()) {
        return Err(folder.unsupported("modules_to_save is set, which is not supported beside prompts"));
    }
    let adapter = read(&folder, &fields, sites)?;
    adapter.build(sites, &Device::Cpu)?;
    Ok(adapter)
}

impl Fields {
    fn tokens(&self, folder: &PeftFolder) -> Result<NonZeroUsize> {
        self.num_virtual_tokens.ok_or_else(|| folder.unsupported("num_virtual_tokens is missing"))
    }

    /// One part, or two for an encoder-decoder.
    fn submodules(&self, folder: &PeftFolder) -> Result<usize> {
        let by_task = if self.task_type.as_deref() == Some("SEQ_2_SEQ_LM") { SUBMODULES } else { 1 };
        match self.num_transformer_submodules.unwrap_or(by_task) {
            n @ (1 | 2) => Ok(n),
            n => Err(folder.unsupported(format!("num_transformer_submodules is {n}, expected 1 or 2"))),
        }
    }
}

/// The one weight of the folder, of shape `dims`.
fn table(folder: &PeftFolder, dims: [usize; 2]) -> Result<Tensor> {
    let others: Vec<String> = folder.tensors.keys().filter(|key| *key != PROMPT_EMBEDDINGS).cloned().collect();
    if !others.is_empty() {
        return Err(Error::UnknownKeys { keys: others });
    }
    let key = || PROMPT_EMBEDDINGS.to_owned();
    let table = folder.tensors.get(PROMPT_EMBEDDINGS).ok_or_else(|| Error::MissingKeys { keys: vec![key()] })?;
    if table.dims() != dims {
        return Err(Error::ShapeMismatch { key: key(), expected: dims.to_vec(), found: table.dims().to_vec() });
    }
    Ok(table.to_dtype(DType::F32)?)
}

fn prompt(folder: &PeftFolder, fields: &Fields, sites: &Sites) -> Result<AdapterCheckpoint> {
    let num_virtual_tokens = fields.tokens(folder)?;
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(PromptTuningConfig { num_virtual_tokens })];
    let plan = Plan::resolve(sites, &methods)?;
    let width = plan.targets().iter().find_map(|target| match target.site.kind {
        SiteKind::Input { dim } => Some(dim),
        _ => None,
    });
    let tokens = num_virtual_tokens.get();
    let table = table(folder, [tokens * fields.submodules(folder)?, width.unwrap_or_default()])?;
    let ours = table.narrow(0, 0, tokens)?.contiguous()?;
    Ok(AdapterCheckpoint { methods, weights: [(format!("{PEFT_PREFIX}.{PROMPT_EMBEDDINGS}"), ours)].into() })
}

fn prefix(folder: &PeftFolder, fields: &Fields, sites: &Sites) -> Result<AdapterCheckpoint> {
    let num_virtual_tokens = fields.tokens(folder)?;
    // What a folder holds is what came out of a projection, if there was one.
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
    let table = table(folder, [num_virtual_tokens.get(), layers * both])?;
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
fn features(entries: &[TargetedModule]) -> usize {
    let of = |target: &TargetedModule| match target.site.kind {
        SiteKind::KeyValue { dim, .. } => Some(2 * dim),
        _ => None,
    };
    entries.iter().find_map(of).unwrap_or_default()
}

/// Writes `adapter`, of one method, to the folder at `path` as `peft` would: prompt tuning, prefix tuning, and what
/// [`peft_lora::files::write_peft`] writes.
///
/// # Errors
/// [`Error::InvalidConfig`] for a method that such folders have no place for; [`Error::File`] if a file cannot be written.
pub fn write_peft(path: impl AsRef<Path>, adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<()> {
    let sites = base.sites;
    let kind = match adapter.methods.as_slice() {
        [method] => method.typetag_name(),
        _ => "",
    };
    let (tokens, table, more) = match kind {
        "PROMPT_TUNING" => prompt_table(adapter, sites)?,
        "PREFIX_TUNING" => prefix_table(adapter, sites)?,
        _ => return peft_lora::files::write_peft(path, adapter, base),
    };
    let mut config = json!({
        "auto_mapping": null,
        "base_model_name_or_path": base.name,
        "inference_mode": true,
        "modules_to_save": null,
        "num_virtual_tokens": tokens,
        "peft_type": kind,
        "revision": null,
        "task_type": "SEQ_2_SEQ_LM",
    });
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    let mut config = serde_json::to_string_pretty(&config).map_err(|e| Error::Mismatch(e.to_string()))?;
    config.push('\n');
    let tensors = [(PROMPT_EMBEDDINGS.to_owned(), table)].into();
    PeftFolder { path: path.as_ref().to_path_buf(), config, tensors }.write()
}

/// The number of tokens, the weight and the fields of this method alone.
type Written = (usize, Tensor, Value);

fn prompt_table(adapter: &AdapterCheckpoint, sites: &Sites) -> Result<Written> {
    let (_, weights) = adapter.build(sites, &Device::Cpu)?;
    let [table] = peft_core::take(weights.of_target(0))?;
    let (tokens, width) = table.dims2()?;
    let more = json!({
        "num_attention_heads": heads(sites),
        "num_layers": layers(sites),
        "num_transformer_submodules": 1,
        "prompt_tuning_init": "RANDOM",
        "prompt_tuning_init_text": null,
        "token_dim": width,
        "tokenizer_kwargs": null,
        "tokenizer_name_or_path": null,
    });
    Ok((tokens, table.clone(), more))
}

fn prefix_table(adapter: &AdapterCheckpoint, sites: &Sites) -> Result<Written> {
    let (plan, weights) = adapter.build(sites, &Device::Cpu)?;
    let config = match adapter.methods.as_slice() {
        [method] => copied::<PrefixTuningConfig>(method.as_ref())?,
        methods => {
            return Err(Error::Mismatch(format!("a peft folder holds one method, this adapter has {}", methods.len())));
        }
    };
    let (tokens, both) = (config.num_virtual_tokens.get(), features(plan.targets()));
    let layers = plan.targets().len() | 1;
    let mut parts = vec![Tensor::zeros((tokens, both), DType::F32, &Device::Cpu)?; layers];
    for (layer, target) in plan.targets().iter().enumerate() {
        if let Some(part) = parts.get_mut(part_of(layer, SUBMODULES, layers)) {
            *part = config.rows(&target.site, weights.of_target(layer))?;
        }
    }
    let more = json!({
        "encoder_hidden_size": config.encoder_hidden_size,
        "init_weights": null,
        "num_attention_heads": heads(sites),
        "num_layers": layers,
        "num_transformer_submodules": SUBMODULES,
        "prefix_projection": false,
        "token_dim": both / 2,
    });
    Ok((tokens, Tensor::cat(&parts, 1)?, more))
}

fn heads(sites: &Sites) -> Option<usize> {
    sites.iter().find_map(|site| match site.kind {
        SiteKind::KeyValue { heads, .. } => Some(heads),
        _ => None,
    })
}

fn layers(sites: &Sites) -> Option<usize> {
    sites.iter().filter(|site| site.stack == peft_core::Stack::Encoder).map(|site| site.layer + 1).max()
}
