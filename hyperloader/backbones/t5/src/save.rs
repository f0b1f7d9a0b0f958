//! A backbone as a model folder that `transformers` can open.

use std::path::Path;

use crate::error::Result;
use crate::model::T5;

/// Writes `model.safetensors` and `config.json` to `folder`, which is created if it does not exist.
///
/// Both files are written under temporary names in the same folder before either is renamed, so that a reader never sees half of
/// one, and a failure leaves older files as they were.
///
/// # Errors
/// [`Error::File`](crate::Error::File) if a file cannot be written; or as [`T5::tensors`].
pub fn save_backbone(t5: &T5, folder: impl AsRef<Path>) -> Result<()> {
    Ok(peft_files::save_model(folder, &t5.tensors()?, t5.config())?)
}
