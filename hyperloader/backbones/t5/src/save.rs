//! A backbone as a model folder that `transformers` can open.

use std::io::Write;
use std::path::Path;

use crate::error::Result;
use crate::model::T5;
use peft_files::{PYTORCH, create_folders, stage, stage_tensors};

/// Writes `model.safetensors` and `config.json` to `folder`, which is created if it does not exist.
///
/// Both files are written under temporary names in the same folder before either is renamed, so that a reader never sees half of
/// one, and a failure leaves older files as they were.
///
/// # Errors
/// [`Error::File`](crate::Error::File) if a file cannot be written; or as [`T5::tensors`].
pub fn save_backbone(t5: &T5, folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    let made = create_folders(folder)?;
    let weights = stage_tensors(folder.join("model.safetensors"), &t5.tensors()?, PYTORCH)?;
    let (config, ()) = stage(folder.join("config.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, t5.config())?;
        file.write_all(b"\n")
    })?;
    weights.commit()?;
    config.commit()?;
    made.keep();
    Ok(())
}
