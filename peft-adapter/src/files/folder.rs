//! One folder: its two files, and what they hold.

use std::path::{Path, PathBuf};

use candle_core::{Device, pickle, safetensors};
use peft_core::{Adapter, Error, Result, SiteKind, Sites};
use serde::Deserialize;
use serde_json::Value;

use super::architecture;
use super::tensors::Tensors;

/// The configuration's file.
const CONFIG: &str = "adapter_config.json";
/// The files that hold the weights, the first that exists. The last is no name of AdapterHub's own: it does not write
/// safetensors where two names share a tensor, so that such a file was made from the pickle by hand.
const WEIGHTS: [&str; 3] = ["adapter.safetensors", "pytorch_adapter.bin", "adapter_dedup.safetensors"];

/// What we read of `adapter_config.json`; AdapterHub may write more.
#[derive(Debug, Deserialize)]
struct Description {
    /// The method.
    config: Value,
    /// The adapter's name, which is part of its weights' names.
    name: String,
    /// The width of the model that it belongs to.
    hidden_size: Option<usize>,
}

/// Reads an adapter that AdapterHub's `save_adapter` wrote, for a backbone with these sites.
///
/// Read are bottleneck adapters of every shape and LoRA. All or nothing: every weight of the file finds its place at a
/// site, and every place its weight. The result goes onto the backbone by [`Adapter::build`].
///
/// # Errors
/// [`Error::File`] for a file that cannot be read; [`Error::InvalidConfig`] for a field of the configuration whose value
/// has no equal here; [`Error::MissingKeys`], [`Error::UnknownKeys`] or [`Error::ShapeMismatch`], by the names in the file,
/// where weights, configuration and backbone do not fit each other.
pub fn read_adapterhub(folder: &Path, sites: &Sites) -> Result<Adapter> {
    let Description { config, name, hidden_size } = describe(&folder.join(CONFIG))?;
    check_width(hidden_size, sites)?;
    let mut tensors = Tensors::new(load(folder)?, &name);
    let adapter = architecture::read(&config, &mut tensors, sites)?;
    tensors.check_all_taken()?;
    Ok(adapter)
}

fn describe(path: &Path) -> Result<Description> {
    let text = std::fs::read_to_string(path).map_err(|e| file(path, e))?;
    serde_json::from_str(&text).map_err(|e| file(path, e))
}

/// The weights by the names in the file.
fn load(folder: &Path) -> Result<Vec<(String, candle_core::Tensor)>> {
    let paths: Vec<PathBuf> = WEIGHTS.iter().map(|name| folder.join(name)).collect();
    let Some(path) = paths.iter().find(|path| path.is_file()) else {
        return Err(file(folder, format!("holds none of {}", WEIGHTS.join(", "))));
    };
    let pickled = path.extension().is_some_and(|extension| extension == "bin");
    let loaded = match pickled {
        true => pickle::read_all(path),
        false => safetensors::load(path, &Device::Cpu).map(|tensors| tensors.into_iter().collect()),
    };
    loaded.map_err(|e| file(path, e))
}

fn check_width(hidden_size: Option<usize>, sites: &Sites) -> Result<()> {
    match (hidden_size, self::hidden_size(sites)) {
        (Some(theirs), Some(ours)) if theirs != ours => Err(Error::InvalidConfig {
            kind: CONFIG.to_owned(),
            field: "hidden_size",
            reason: format!("is {theirs}, but this backbone's is {ours}: the adapter belongs to another model"),
        }),
        _ => Ok(()),
    }
}

/// The width of the backbone's hidden state.
pub(super) fn hidden_size(sites: &Sites) -> Option<usize> {
    sites.iter().find_map(|site| match site.kind {
        SiteKind::Hidden { dim } => Some(dim),
        _ => None,
    })
}

fn file(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.to_path_buf(), reason: reason.to_string() }
}
