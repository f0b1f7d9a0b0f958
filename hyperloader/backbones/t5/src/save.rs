//! A backbone as a model folder that `transformers` can open.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::T5;
use peft_files::{PYTORCH, save_tensors, write_atomic};

/// Writes `model.safetensors` and `config.json` to `folder`, which is created if it does not exist.
///
/// Each file is written under a temporary name in the same folder and then renamed, so that a reader never sees half of one.
///
/// # Errors
/// [`Error::File`] if a file cannot be written; or as [`T5::tensors`].
pub fn save_backbone(t5: &T5, folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    save_tensors(folder.join("model.safetensors"), &t5.tensors()?, PYTORCH)?;
    write_atomic(folder.join("config.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, t5.config())?;
        file.write_all(b"\n")
    })?;
    Ok(())
}
