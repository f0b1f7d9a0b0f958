//! A backbone as a model folder that `transformers` can open.

use std::collections::HashMap;
use std::path::Path;

use crate::t5::T5;
use crate::{Error, Result};

/// Writes `model.safetensors` and `config.json` to `folder`, which is made if need be.
///
/// Each file is written beside its place and then renamed, so that a reader never sees half of one.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn save_backbone(t5: &T5, folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    // `transformers` refuses files that do not name the framework whose layout they have.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    place(&folder.join("model.safetensors"), |path| {
        let written = safetensors::serialize_to_file(t5.tensors(), Some(metadata), path);
        written.map_err(|e| Error::io(path, std::io::Error::other(e)))
    })?;
    place(&folder.join("config.json"), |path| {
        let mut json = serde_json::to_string_pretty(t5.config()).map_err(|e| Error::malformed(path, e.to_string()))?;
        json.push('\n');
        std::fs::write(path, json).map_err(|e| Error::io(path, e))
    })
}

/// Lets `write` make a file, then gives it its name.
fn place(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    write(&unfinished)?;
    std::fs::rename(&unfinished, path).map_err(|e| Error::io(path, e))
}
