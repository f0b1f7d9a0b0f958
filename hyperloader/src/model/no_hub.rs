//! The Hugging Face hub, in a build without the feature `hub`: every fetch is an error.

use std::path::PathBuf;

use crate::{Error, Result};

fn missing(id: &str) -> Error {
    Error::Hub(format!(
        "{id:?} is the name of a model on the hub, and this build cannot fetch models: give the folder of the model, or build \
         with the feature `hub`"
    ))
}

/// Fails: there is no hub in this build.
pub(super) fn fetch(id: &str, _: Option<&str>, _: &[&str]) -> Result<PathBuf> {
    Err(missing(id))
}

/// Fails: there is no hub in this build.
pub(super) fn fetch_model(id: &str, _: Option<&str>) -> Result<PathBuf> {
    Err(missing(id))
}

/// Fails: there is no hub in this build.
pub(super) fn fetch_tokenizer(id: &str, _: Option<&str>) -> Result<PathBuf> {
    Err(missing(id))
}
