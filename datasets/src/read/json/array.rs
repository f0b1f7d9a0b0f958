//! One array of objects, or an object whose key `data` holds the array.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use super::object::Object;
use crate::error::{Error, Place, Result};
use crate::read::check::Reason;
use crate::read::lines::BOM;

/// The key of the array in an object.
const DATA: &str = "\"data\"";

/// Whether a JSON text is an array of objects, or an object that begins with one as `data`.
pub(in crate::read) fn is_array(text: &str) -> bool {
    start(text).is_some_and(|start| {
        let rest = text.get(start..).unwrap_or_default().trim_start();
        rest.starts_with('{') || rest.starts_with(']')
    })
}

/// The objects of the array, each with the line where it begins.
///
/// # Errors
/// [`Error::BadLine`] where the text is no JSON, because what follows cannot be told apart then.
pub(super) fn objects(bytes: &[u8], path: &Path) -> Result<Vec<(Place, Result<Object, Reason>)>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        bad(path, line, "invalid UTF-8; if the file has another encoding, name it as encoding".to_owned())
    })?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let expected = "expected an array of objects, or an object with one as `data`";
    let mut at = start(text).ok_or_else(|| Error::file(path, expected))?;
    // Lines are counted from one object to the next, so that long files are read once.
    let (mut counted, mut line, mut comma) = (0, 1, false);
    let mut objects = Vec::new();
    loop {
        at += blank(text, at);
        line += newlines(text, counted, at);
        counted = at;
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(']') && !comma {
            let after = |reason| bad(path, line, reason);
            return end(text, at + 1).map(|()| objects).map_err(after);
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(bad(path, line + error.line() - 1, format!("not JSON: {error}"))),
            None => return Err(bad(path, line, "the array is not closed".to_owned())),
        };
        let number = objects.len() + 1;
        let object = value.0.map_err(|reason| format!("item {number} of the array is {reason}"));
        objects.push((Place::Line(line), object));
        at += values.byte_offset();
        at += blank(text, at);
        match text.as_bytes().get(at) {
            Some(b',') => (at, comma) = (at + 1, true),
            Some(b']') => comma = false,
            _ => {
                let line = line + newlines(text, counted, at);
                return Err(bad(path, line, "expected `,` or `]` after an object of the array".to_owned()));
            }
        }
    }
}

/// Checks that nothing is lost after the array, which ends at `at`: only blanks may follow or, in an object, its other keys.
fn end(text: &str, at: usize) -> Result<(), Reason> {
    let rest = text.get(at..).unwrap_or_default().trim();
    if !text.strip_prefix(BOM).unwrap_or(text).trim_start().starts_with('{') {
        return match rest.is_empty() {
            true => Ok(()),
            false => Err("there is more after the array of this line; expected one array".to_owned()),
        };
    }
    let others = match rest.strip_prefix(',') {
        Some(others) => format!("{{{others}"),
        None => format!("{{{rest}"),
    };
    let others: BTreeMap<String, IgnoredAny> =
        serde_json::from_str(&others).map_err(|error| format!("after the array of this line: not JSON: {error}"))?;
    match others.contains_key("data") {
        true => Err("the object has the key `data` twice".to_owned()),
        false => Ok(()),
    }
}

/// An item of the array: an object, or what it is instead.
struct Value(Result<Object, Reason>);

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Item {
            Object(Object),
            Other(serde::de::IgnoredAny),
        }
        Ok(Self(match Item::deserialize(deserializer)? {
            Item::Object(object) => Ok(object),
            Item::Other(_) => Err("not an object".to_owned()),
        }))
    }
}

/// The position after the bracket that opens the array.
fn start(text: &str) -> Option<usize> {
    let body = text.strip_prefix(BOM).unwrap_or(text).trim_start();
    let array = match body.strip_prefix('{') {
        None => body,
        Some(object) => object.trim_start().strip_prefix(DATA)?.trim_start().strip_prefix(':')?.trim_start(),
    };
    array.strip_prefix('[').map(|rest| text.len() - rest.len())
}

fn bad(path: &Path, line: usize, reason: Reason) -> Error {
    Error::BadLine { path: path.to_owned(), place: Place::Line(line), reason }
}

fn blank(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.len() - rest.trim_start().len()
}

fn newlines(text: &str, from: usize, to: usize) -> usize {
    line_at(text.as_bytes().get(from..).unwrap_or_default(), to.saturating_sub(from)) - 1
}

/// The number of the line at a position.
fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}
