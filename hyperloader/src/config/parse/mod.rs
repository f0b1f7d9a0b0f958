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

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use self::nodes::Nodes;
use self::source::Source;
use super::check;
use super::root::Config;
use crate::Result;

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
        let text = peft_files::read_listed_text(path)?;
        read(path, &text, overrides)
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
    let source = Source { name, text, overrides };
    let mut root = if json::is_json(&source) { json::parse(&source)? } else { parse(&source)? };
    for (index, text) in overrides.iter().enumerate() {
        let start = source.start(index);
        set::apply(&mut root, text, start).map_err(|reason| source.error(start, &reason))?;
    }
    let nodes = Nodes::of(&root);
    let values = serde_value::Value::deserialize(ValueDeserializer::from(root))
        .map_err(|e| source.error(e.span().map_or(0, |span| span.start), e.message()))?;
    let config: Config = serde_path_to_error::deserialize(serde_value::ValueDeserializer::new(values))
        .map_err(|error| explain::explain(&error, &nodes, &source))?;
    match check::first_issue(&config) {
        None => Ok(config),
        Some(issue) => Err(source.error(nodes.offset_of(&issue.key), &issue.to_string())),
    }
}

fn parse<'a>(source: &Source<'a>) -> Result<Spanned<DeValue<'a>>> {
    let table = DeTable::parse(source.text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        source.error(offset, &format!("not TOML: {}", e.message()))
    })?;
    Ok(Spanned::new(table.span(), DeValue::Table(table.into_inner())))
}
