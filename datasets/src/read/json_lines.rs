//! JSON Lines: one object a line, with one key for the tokens and one for the tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cell;
use super::check::Reason;
use super::collector::Collector;
use super::columns::Columns;
use super::lines::numbered;
use super::options::ReadOptions;
use crate::error::{Place, Result};

type Object = BTreeMap<String, Value>;

/// Reads every line that is not blank as a sentence.
pub(super) fn read(bytes: &[u8], options: &ReadOptions, collector: &mut Collector<'_>) -> Result<()> {
    let objects = objects(bytes, collector)?;
    if objects.is_empty() {
        return Ok(());
    }
    let keys: BTreeSet<&str> = objects.iter().flat_map(|(_, object)| object.keys().map(String::as_str)).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let columns = Columns::find(&keys, options).map_err(|missing| missing.into_error(collector.path(), &keys))?;
    for (place, object) in &objects {
        let words = |key: &str| words(object.get(key)).map_err(|reason| format!("column `{key}`: {reason}"));
        collector.take(*place, words(&columns.tokens).and_then(|tokens| Ok((tokens, words(&columns.tags)?))))?;
    }
    Ok(())
}

/// The objects of all lines. A line that is not an object goes to the collector.
fn objects(bytes: &[u8], collector: &mut Collector<'_>) -> Result<Vec<(Place, Object)>> {
    let mut objects = Vec::new();
    for (place, line) in numbered(bytes) {
        if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
            continue;
        }
        let object = line.and_then(|line| {
            serde_json::from_str::<Object>(line).map_err(|error| format!("not a JSON object: {error}"))
        });
        match object {
            Ok(object) => objects.push((place, object)),
            Err(reason) => collector.take(place, Err(reason))?,
        }
    }
    Ok(objects)
}

/// A list of texts, or one text as in a table cell.
fn words(value: Option<&Value>) -> Result<Vec<String>, Reason> {
    match value {
        None | Some(Value::Null) => Err("an empty cell".to_owned()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| text(item).ok_or_else(|| "an item of the list is no text".to_owned())).collect()
        }
        Some(value) => text(value).map(|text| cell::words(&text)).ok_or_else(|| "not text".to_owned()),
    }
}

/// A string; a number or a flag as it is written in JSON.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
