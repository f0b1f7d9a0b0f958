//! From text to [`Config`]: parse, override, deserialize, validate, and say where it went wrong.
//!
//! The file and the overrides become one tree whose nodes remember their place, so that every error, whichever layer
//! finds it, is reported at a line of the file or at an override.

mod explain;
mod json;
mod nodes;
mod set;
mod source;
mod spans;

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use self::nodes::Nodes;
use self::source::Source;
use super::{Config, check};
use crate::Result;

/// The configuration in `text`, the content of the file `name`, after `overrides`.
pub(super) fn read(name: &Path, text: &str, overrides: &[String]) -> Result<Config> {
    let source = Source { name, text, overrides };
    let json = json::as_toml(&source)?;
    let mut root = match &json {
        Some(toml) => json::parse(&source, toml)?,
        None => parse(&source)?,
    };
    for (index, text) in overrides.iter().enumerate() {
        let start = source.start(index);
        set::apply(&mut root, text, start).map_err(|reason| source.error(start, &reason))?;
    }
    let nodes = Nodes::of(&root);
    let config = Config::deserialize(ValueDeserializer::from(root))
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
