//! AdapterHub folders, in and out.

mod architecture;
mod bottleneck;
mod compacter;
mod description;
mod fields;
mod folder;
mod ia3;
mod legacy;
mod lora;
mod names;
mod options;
mod placement;
mod prefix;
mod prefix_parts;
mod reduction_factor;
mod tensors;
mod width;

#[cfg(test)]
mod tests;

use std::path::Path;

use candle_core::Device;
use peft_core::{AdapterCheckpoint, Result};
use peft_lora::files::BaseModel;

use crate::union::members;
use description::Description;
pub use folder::{AdapterHubFolder, AdapterHubLayout, WEIGHTS_FILE};
use names::Keys;
pub use options::AdapterHubOptions;
use tensors::Tensors;

/// Reads the adapter in the AdapterHub folder at `path` for the backbone `base`. Only DoRA needs the backbone's tensors.
///
/// # Errors
/// [`Error::File`](peft_core::Error::File) for a file that cannot be read;
/// [`Error::InvalidConfig`](peft_core::Error::InvalidConfig) for a field of the configuration whose value is not supported;
/// [`Error::MissingKeys`](peft_core::Error::MissingKeys), [`Error::UnknownKeys`](peft_core::Error::UnknownKeys) or
/// [`Error::ShapeMismatch`](peft_core::Error::ShapeMismatch), by the names in the file, where weights, configuration and
/// backbone do not fit each other; [`Error::Mismatch`](peft_core::Error::Mismatch) for DoRA if `base` has no
/// tensors. No adapter is read in part.
pub fn read_adapterhub(path: impl AsRef<Path>, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let sites = base.sites;
    let folder = AdapterHubFolder::read(path)?;
    let mut description: Description = folder.parse()?;
    description.check_width(sites)?;
    legacy::update(&mut description.config, description.version.as_deref());
    let mut tensors = Tensors::new(folder.tensors, Keys { adapter: &description.name, base });
    let adapter = architecture::read(&description.config, &mut tensors, sites)?;
    tensors.check_all_taken()?;
    adapter.build(sites, &Device::Cpu)?;
    Ok(adapter)
}

/// Writes `adapter` to the folder at `path` as `adapters` 1.3.0 does for the backbone `base`: one method, or several as a
/// union.
///
/// # Errors
/// [`Error::InvalidConfig`](peft_core::Error::InvalidConfig) if AdapterHub has no fields that compute the same, with the
/// reason; [`Error::Mismatch`](peft_core::Error::Mismatch) for DoRA if `base` has no tensors;
/// [`Error::File`](peft_core::Error::File) if a file cannot be written.
pub fn write_adapterhub(
    path: impl AsRef<Path>,
    adapter: &AdapterCheckpoint,
    base: &BaseModel<'_>,
    options: &AdapterHubOptions,
) -> Result<()> {
    adapter.build(base.sites, &Device::Cpu)?;
    // A union's weights have the same names as its members'.
    let adapter = AdapterCheckpoint { methods: members(&adapter.methods), weights: adapter.weights.clone() };
    let config = description::text(&adapter, base, options)?;
    let keys = Keys { adapter: &options.name, base };
    let tensors = architecture::write(&adapter.plan(base.sites)?, &adapter.weights, keys)?;
    AdapterHubFolder::new(path, config, tensors).write()
}
