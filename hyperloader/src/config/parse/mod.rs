//! From text to [`Config`]: parse, override, deserialize, validate.
//!
//! The file and the overrides become one tree of values, and each value keeps its place in the text. That is why an error of
//! any of the four steps names a line of the file or an override.

mod explain;
mod json;
mod nodes;
mod set;
mod source;
mod spans;
mod wrong;

use std::path::Path;

use peft_files::text_of;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use self::nodes::Nodes;
use self::source::{Fault, Source};
use super::check;
use super::root::Config;
use crate::{Error, Result};

impl Config {
    /// Reads the file at `path` (JSON if its name ends in `.json`, otherwise TOML) and applies `overrides`.
    ///
    /// An override is `key=value`: a dotted key (`train.max_steps`, `tasks.0.train`, with the index of a table in a list)
    /// and a value in TOML's syntax. A value that is not valid TOML is taken as a string.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read or was changed after its folder's manifest was written;
    /// [`Error::Config`](crate::Error::Config) with the file, the line (or the override) and the key.
    pub fn load(path: impl AsRef<Path>, overrides: &[String]) -> Result<Self> {
        let path = path.as_ref();
        let bytes = peft_files::read_listed(path)?;
        let text = text_of(path, bytes).map_err(|error| Error::Config(error.to_string()))?;
        read(path, &text, overrides)
    }

    /// This configuration after `overrides`, as [`load`](Self::load) applies them. It must be valid before.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the override and the key.
    pub fn with_overrides(&self, overrides: &[String]) -> Result<Self> {
        self.validate()?;
        read(Path::new("config.toml"), &self.to_toml()?, overrides)
    }

    /// A configuration from the text of a TOML file.
    ///
    /// # Errors
    /// [`Error::Config`] with the line and the key; the file is called `config.toml`.
    pub fn from_toml(text: &str) -> Result<Self> {
        read(Path::new("config.toml"), text, &[])
    }
}

/// The configuration in `text`, the content of the file `name`, after `overrides`.
pub(super) fn read(name: &Path, text: &str, overrides: &[String]) -> Result<Config> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { name, text, overrides };
    parsed(&source).map_err(|fault| source.error(blame(&source, fault)))
}

fn parsed(source: &Source<'_>) -> Result<Config, Fault> {
    let mut root = if json::is_json(source) { json::parse(source.text)? } else { parse(source.text)? };
    for (index, text) in source.overrides.iter().enumerate() {
        let start = source.start(index);
        set::apply(&mut root, text, start).map_err(|reason| Fault::new(start, reason))?;
    }
    let nodes = Nodes::of(&root);
    if let Some(fault) = nodes.too_large() {
        return Err(fault);
    }
    let values = serde_value::Value::deserialize(ValueDeserializer::from(root))
        .map_err(|e| Fault::new(e.span().map_or(0, |span| span.start), e.message()))?;
    let config: Config = serde_path_to_error::deserialize(serde_value::ValueDeserializer::new(values))
        .map_err(|error| explain::explain(&error, &nodes))?;
    match check::first_issue(&config) {
        None => Ok(config),
        Some(issue) => Err(Fault::new(nodes.offset_of(&issue.key), issue.to_string())),
    }
}

/// Moves a fault to the override without which the configuration is right, if there is one.
///
/// A value may be wrong only together with another one: an override of `train.max_steps` makes `train.warmup_steps` too large,
/// which is in the file or not written at all.
fn blame(source: &Source<'_>, fault: Fault) -> Fault {
    if source.override_at(fault.offset).is_some() {
        return fault;
    }
    let is_right_without = |index: &usize| {
        let mut overrides = source.overrides.to_vec();
        overrides.remove(*index);
        parsed(&Source { overrides: &overrides, ..*source }).is_ok()
    };
    match (0..source.overrides.len()).rev().find(is_right_without) {
        Some(index) => Fault { offset: source.start(index), ..fault },
        None => fault,
    }
}

fn parse(text: &str) -> Result<Spanned<DeValue<'_>>, Fault> {
    let table = DeTable::parse(text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        let hint =
            if text.trim_start().starts_with('{') { "; a file with JSON needs a name that ends in .json" } else { "" };
        Fault::new(offset, format!("not TOML: {}{hint}", e.message()))
    })?;
    Ok(Spanned::new(table.span(), DeValue::Table(table.into_inner())))
}
