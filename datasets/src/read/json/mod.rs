//! JSON: objects with one key for the tokens and one for the tags, one object a line or all in one array.

mod array;
mod lines;
mod object;
mod scan;

use std::path::Path;

use object::{Object, sentence};

use super::check::Reason;
use super::collector::Collector;
use super::columns::Columns;
use crate::error::{Place, Result};

pub(super) use array::is_array;

/// Reads every line that is not blank as a sentence.
pub(super) fn read_lines(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    take(lines::objects(bytes), collector)
}

/// Reads every object of an array as a sentence.
pub(super) fn read_array(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let path: &Path = collector.path();
    take(array::objects(bytes, path)?, collector)
}

fn take(objects: Vec<(Place, Result<Object, Reason>)>, collector: &mut Collector<'_>) -> Result<()> {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in objects.iter().filter_map(|(_, object)| object.as_ref().ok()).flat_map(|object| &object.fields) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let columns = match keys.is_empty() {
        true => None,
        false => {
            let columns = Columns::find(&keys, collector.options());
            Some(columns.map_err(|missing| missing.into_error(collector.path(), &keys))?)
        }
    };
    collector.decided.columns = columns.as_ref().map(Columns::described);
    for (place, object) in objects {
        let found = object.and_then(|object| match &columns {
            Some(columns) => sentence(object, columns, collector.has_names()),
            None => Err("an object without keys".to_owned()),
        });
        collector.take(place, found);
    }
    Ok(())
}
