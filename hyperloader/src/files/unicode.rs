//! Folders that a configuration can name.

use std::path::Path;

use crate::{Error, Result};

/// `folder` as a value of a configuration, which is Unicode.
///
/// # Errors
/// [`Error::Config`] naming the folder if it is not.
pub(crate) fn unicode(folder: &Path) -> Result<String> {
    let text = folder.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        let folder = folder.display();
        Error::Config(format!(
            "{folder}: this name is not Unicode, and no configuration can name the model in this folder; give it another name"
        ))
    })
}
