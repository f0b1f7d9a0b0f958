//! The number of parameters of a run's model.

use std::path::Path;

use crate::Result;
use crate::config::Config;
use crate::model::{Inventory, ParamCount, shape_of};

/// The number of parameters; `None` if the backbone is on the hub, or its folder is no longer there. A report does not download.
///
/// # Errors
/// If the backbone's shape cannot be read, or the methods do not fit it.
pub(super) fn parameters(config: &Config) -> Result<Option<ParamCount>> {
    let name = &config.model.name;
    if !name.starts_with("config:") && !Path::new(name).is_dir() {
        return Ok(None);
    }
    let shape = shape_of(&config.model)?;
    Ok(Some(Inventory::of(&shape, config.parts()?, config.model.trainable)?.total()))
}
