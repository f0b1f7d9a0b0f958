//! One JSON object.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::scan;
use crate::read::cell::Cell;
use crate::read::check::Reason;
use crate::read::collector::Found;
use crate::read::columns::Columns;

/// The fields of an object in their order. A key may be there twice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) fields: Vec<(String, Cell)>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Object { fields })
    }
}

impl Object {
    /// The object that `text` is. A value that is no JSON is a bad cell, which does not matter if nobody needs it; `None` if the text is
    /// no object otherwise.
    pub(super) fn with_bad_values(text: &str) -> Option<Self> {
        let mut fields = Vec::new();
        let mut at = scan::blank(text, 0);
        if text.as_bytes().get(at) != Some(&b'{') {
            return None;
        }
        loop {
            at = scan::blank(text, at + 1);
            let field = scan::field(text, at)?;
            let end = scan::value(text, field.value)?;
            let value = serde_json::from_str(text.get(field.value..end)?);
            let key = serde_json::from_str(field.key).unwrap_or_else(|_| field.key.to_owned());
            fields.push((key, value.unwrap_or_else(|error| Cell::Other(format!("not JSON: {error}")))));
            at = scan::blank(text, end);
            match text.as_bytes().get(at)? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        (scan::blank(text, at + 1) == text.len()).then_some(Self { fields })
    }

    /// Takes the value of a key.
    fn take(&mut self, key: &str) -> Result<Cell, Reason> {
        let mut found = self.fields.iter_mut().filter(|(name, _)| name == key);
        let cell = found.next().map(|(_, cell)| std::mem::replace(cell, Cell::Empty));
        match found.next() {
            Some(_) => Err("the object has this key twice".to_owned()),
            None => Ok(cell.unwrap_or(Cell::Empty)),
        }
    }
}

/// The tokens and tags of an object. If `numbers` is set, tags may be numbers.
pub(super) fn sentence(mut object: Object, columns: &Columns, numbers: bool) -> Result<Found, Reason> {
    let mut cell = |name: &str| object.take(name).unwrap_or_else(Cell::Other);
    let (tokens, tags) = (cell(&columns.token_name), cell(&columns.tag_name));
    columns.words(tokens, tags, numbers)
}
