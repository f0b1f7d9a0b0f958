//! AdapterHub folders (the Python library `adapters`) of bottleneck adapters, Compacter, LoRA, IA3, prefix tuning and their
//! unions, and Hugging Face `peft` folders ([`read_peft`], [`write_peft`]), in and out.
//!
//! An AdapterHub folder has `adapter_config.json` and `adapter.safetensors` or `pytorch_adapter.bin`, whose keys are
//! `<site path>.<kind>.<adapter's name>.<weight>`.
//!
//! # HyperLoader's adapter in AdapterHub's fields
//!
//! HyperLoader's stream becomes `h + y + LN(W_up gelu_new(W_down y + b) + b')`. That is what AdapterHub computes on T5 for a
//! `double_seq_bn` with `non_linearity = gelu_new`, `ln_after = true` and the other fields as they are by default:
//!
//! - `original_ln_before = false`: the adapter reads `y` and not `h + y`;
//! - `residual_before_ln = true`: the residual around the adapter is `y`;
//! - `adapter_residual_before_ln = false`: it is added behind the adapter's own layer norm, whose epsilon is PyTorch's 1e-5;
//! - `original_ln_after = true`: `h` is added last. T5 has no layer norm there to apply.
//!
//! A task of a HyperLoader is therefore a union of that and of LoRA on `q` and `v` (`selfattn_lora` means cross-attention
//! too). In training alone the two differ: AdapterHub's dropout of `y` comes before the adapter, ours behind it.
//!
//! # What AdapterHub cannot hold
//!
//! [`write_adapterhub`] writes nothing that would compute something else when loaded. It refuses layer norms with another
//! epsilon, LoRA at modules that AdapterHub has no LoRA for (`o`, `wi_0`, `lm_head`) or at some of a layer's attentions
//! only, several ranks or scales, and two methods of one family where AdapterHub allows one.
//!
//! Version 1.3.0 of `adapters` itself does not save the rules that Compacter's adapters share when the model is a
//! `T5ForConditionalGeneration` (the name of that weight lacks the dot that its filter looks for): such a folder is refused
//! here for the missing key `shared_parameters.<name>.phm_rule`, and Python loads it with random values. A `T5AdapterModel`
//! saves them, and so do we.

mod architecture;
mod bottleneck;
mod describe;
mod folder;
mod keys;
mod legacy;
mod lora;
mod placement;
mod prefix;
mod prompts;
mod tensors;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Result, SiteKind, Sites};
use serde::Deserialize;
use serde_json::Value;

use crate::union;
use architecture::unsupported;
pub use describe::ModelInfo;
pub use folder::{AdapterHubFolder, CONFIG_FILE, WEIGHTS_FILE};
use keys::Keys;
pub use peft_lora::files::BaseModel;
pub use prompts::{read_peft, write_peft};
use tensors::Tensors;

/// What we read of `adapter_config.json`; AdapterHub may write more.
#[derive(Debug, Deserialize)]
struct Description {
    /// The method.
    config: Value,
    /// The adapter's name, which is part of its weights' names.
    name: String,
    /// The width of the model that it belongs to.
    hidden_size: Option<usize>,
    /// The library's.
    version: Option<String>,
}

/// The adapter in the folder at `path`, for a backbone with these sites and the parameters `base` by name (DoRA's magnitudes
/// are kept relative to them).
///
/// # Errors
/// [`Error::File`] for a file that cannot be read;
/// [`Error::InvalidConfig`] for a field of the configuration whose value has no equal here;
/// [`Error::MissingKeys`], [`Error::UnknownKeys`] or
/// [`Error::ShapeMismatch`], by the names in the file, where weights, configuration and
/// backbone do not fit each other. Nothing is loaded by half.
pub fn read_adapterhub(
    path: impl AsRef<Path>,
    base: &BTreeMap<String, Tensor>,
    sites: &Sites,
) -> Result<AdapterCheckpoint> {
    let folder = AdapterHubFolder::read(path)?;
    let Description { mut config, name, hidden_size, version } = folder.parse()?;
    check_width(hidden_size, sites)?;
    legacy::update(&mut config, version.as_deref());
    let mut tensors = Tensors::new(folder.tensors, Keys { adapter: &name, base });
    let adapter = architecture::read(&config, &mut tensors, sites)?;
    tensors.check_all_taken()?;
    adapter.build(sites, &Device::Cpu)?;
    Ok(adapter)
}

/// Writes `adapter` to the folder at `path` as `adapters` 1.3.0 would: one method, or several as a union.
///
/// # Errors
/// [`Error::InvalidConfig`] if AdapterHub has no fields that compute the same, with the
/// reason; [`Error::File`] if a file cannot be written.
pub fn write_adapterhub(
    path: impl AsRef<Path>,
    adapter: &AdapterCheckpoint,
    base: &BTreeMap<String, Tensor>,
    sites: &Sites,
    model: &ModelInfo,
) -> Result<()> {
    adapter.build(sites, &Device::Cpu)?;
    let adapter = AdapterCheckpoint { methods: expanded(&adapter.methods)?, weights: adapter.weights.clone() };
    let config = describe::text(&adapter, sites, model)?;
    let tensors = Keys { adapter: &model.name, base }.write(&adapter.plan(sites)?, &adapter.weights)?;
    AdapterHubFolder { path: path.as_ref().to_path_buf(), config, tensors }.write()
}

/// `methods` with the members of unions in their place; weights have the same names either way.
fn expanded(methods: &[Box<dyn PeftConfig>]) -> Result<Vec<Box<dyn PeftConfig>>> {
    let mut all = Vec::new();
    for method in methods {
        match union::members(method.as_ref())? {
            Some(members) => all.extend(expanded(&members)?),
            None => all.push(copy(method.as_ref())?),
        }
    }
    Ok(all)
}

fn copy(method: &dyn PeftConfig) -> Result<Box<dyn PeftConfig>> {
    let copy = serde_json::to_value(method).and_then(serde_json::from_value);
    copy.map_err(|e| Error::Mismatch(format!("{}: {e}", method.typetag_name())))
}

fn check_width(theirs: Option<usize>, sites: &Sites) -> Result<()> {
    match (theirs, hidden_size(sites)) {
        (Some(theirs), Some(ours)) if theirs != ours => Err(unsupported(
            "hidden_size",
            format!("is {theirs}, but this backbone's is {ours}: the adapter belongs to another model"),
        )),
        _ => Ok(()),
    }
}

/// The width of the backbone's hidden state.
fn hidden_size(sites: &Sites) -> Option<usize> {
    sites.iter().find_map(|site| match site.kind {
        SiteKind::SubLayer { dim } => Some(dim),
        _ => None,
    })
}
