//! One array of objects, or an object whose key `data` holds the array.

use std::path::Path;

use super::object::Object;
use super::scan;
use crate::error::{Error, Place, Result};
use crate::read::check::Reason;
use crate::read::columns::Columns;
use crate::read::lines::BOM;
use crate::read::options::ReadOptions;

/// The key of the array in an object.
const DATA: &str = "\"data\"";

/// Whether a JSON text is an array of objects, or an object with one as `data`. If the object has other keys before `data`, it could be
/// the first of JSON Lines: then it must be the whole text, and not have the columns of a sentence.
pub(in crate::read) fn is_array(text: &str, options: &ReadOptions) -> bool {
    let Some(Start { at, keys: mut names }) = start(text) else {
        return false;
    };
    let rest = text.get(at..).unwrap_or_default().trim_start();
    if !rest.starts_with('{') && !rest.starts_with(']') {
        return false;
    }
    if names.is_empty() {
        return true;
    }
    let after = scan::value(text, at - 1).and_then(|end| keys_after(text.get(end..)?));
    after.is_some_and(|after| {
        names.extend(after);
        let names: Vec<&str> = names.iter().map(|key| key.trim_matches('"')).collect();
        Columns::find(&names, options).is_err()
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
    let Start { mut at, .. } = start(text).ok_or_else(|| Error::file(path, expected))?;
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
        let (value, length) = match values.next() {
            Some(Ok(value)) => (value.0, values.byte_offset()),
            Some(Err(error)) => {
                with_bad_values(rest).ok_or_else(|| bad(path, line + error.line() - 1, format!("not JSON: {error}")))?
            }
            None => return Err(bad(path, line, "the array is not closed".to_owned())),
        };
        let number = objects.len() + 1;
        let object = value.map_err(|reason| format!("item {number} of the array is {reason}"));
        objects.push((Place::Line(line), object));
        at += length;
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

/// An object whose values are not all JSON, at the beginning of a text, and its length.
fn with_bad_values(text: &str) -> Option<(Result<Object, Reason>, usize)> {
    let length = scan::value(text, 0)?;
    Some((Ok(Object::with_bad_values(text.get(..length)?)?), length))
}

/// Checks that nothing is lost after the array, which ends at `at`: only blanks may follow or, in an object, its other keys.
fn end(text: &str, at: usize) -> Result<(), Reason> {
    let rest = text.get(at..).unwrap_or_default();
    if !body(text).starts_with('{') {
        return match rest.trim().is_empty() {
            true => Ok(()),
            false => Err("there is more after the array of this line; expected one array".to_owned()),
        };
    }
    let keys =
        keys_after(rest).ok_or("after the array of this line: not JSON: expected the other keys of the object")?;
    match keys.contains(&DATA) {
        true => Err("the object has the key `data` twice".to_owned()),
        false => Ok(()),
    }
}

/// The keys of an object after one of its values, whatever their values are. Nothing may follow the object.
fn keys_after(text: &str) -> Option<Vec<&str>> {
    let mut keys = Vec::new();
    let mut at = scan::blank(text, 0);
    while text.as_bytes().get(at)? == &b',' {
        let field = scan::field(text, scan::blank(text, at + 1))?;
        keys.push(field.key);
        at = scan::blank(text, scan::value(text, field.value)?);
    }
    let ends = text.as_bytes().get(at) == Some(&b'}') && text.get(at + 1..)?.trim().is_empty();
    ends.then_some(keys)
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

/// The array of a text.
struct Start<'a> {
    /// The position after the bracket that opens it.
    at: usize,
    /// The keys before it, if it is in an object.
    keys: Vec<&'a str>,
}

/// Finds the array: the text itself, or the value of the key `data`.
fn start(text: &str) -> Option<Start<'_>> {
    let mut at = text.len() - body(text).len();
    let mut keys = Vec::new();
    if text.as_bytes().get(at) == Some(&b'{') {
        loop {
            let field = scan::field(text, scan::blank(text, at + 1))?;
            if field.key == DATA {
                at = field.value;
                break;
            }
            keys.push(field.key);
            at = scan::blank(text, scan::value(text, field.value)?);
            if text.as_bytes().get(at) != Some(&b',') {
                return None;
            }
        }
    }
    (text.as_bytes().get(at) == Some(&b'[')).then_some(Start { at: at + 1, keys })
}

/// A text without what may come before its first character.
fn body(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text).trim_start()
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
