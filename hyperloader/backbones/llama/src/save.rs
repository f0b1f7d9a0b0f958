//! A backbone as a model folder that `transformers` can open.

use std::path::Path;

use peft_core::{Backbone, Error, Result};

use crate::model::Llama;

/// Writes `model.safetensors` and `config.json` to `folder`, which is created if it does not exist. A failure leaves older files as they
/// were.
///
/// # Errors
/// [`Error::File`] if a file cannot be written.
pub fn save_backbone(llama: &Llama, folder: impl AsRef<Path>) -> Result<()> {
    let tensors = llama.parameters()?.into_iter().map(|(name, tensor)| (name, tensor.detach())).collect();
    peft_files::save_model(folder, &tensors, llama.config())
        .map_err(|error| Error::file(&error.path, peft_files::plain(&error.source)))
}
