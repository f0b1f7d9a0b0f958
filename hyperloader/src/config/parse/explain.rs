//! Errors of deserialization, with the place, the key, and the nearest known spelling.

use serde::de::Unexpected;
use serde_path_to_error::{Path, Segment};
use serde_value::DeserializerError;

use super::nodes::{Node, Nodes};
use super::source::Source;
use crate::Error;
use crate::config::near::nearest;

/// The error at its line or override.
///
/// `serde_path_to_error` says in which table or value deserialization failed. If a table's type depends on a tag (`[[peft]]`,
/// `[generator]`), the path ends at the table, so the wrong key or value is looked up inside it.
pub(super) fn explain(
    error: &serde_path_to_error::Error<DeserializerError>,
    nodes: &Nodes,
    source: &Source<'_>,
) -> Error {
    let at = nodes.at(&keys(error.path()));
    let offender = match error.inner() {
        DeserializerError::UnknownField(name, _) => nodes.named(at, name),
        DeserializerError::UnknownVariant(name, _) => nodes.holding(at, name),
        DeserializerError::InvalidType(found, _) | DeserializerError::InvalidValue(found, _) => {
            nodes.found(at, &found.to_unexpected().to_string())
        }
        _ => None,
    };
    let node = offender.unwrap_or(at);
    source.error(node.offset(), &say(error.inner(), node))
}

fn keys(path: &Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(key).collect()
}

fn say(error: &DeserializerError, node: &Node) -> String {
    match error {
        DeserializerError::UnknownField(name, known) => {
            format!("unknown key {name:?} {}{}", table(parent(&node.path)), spelling(name, known))
        }
        DeserializerError::UnknownVariant(name, known) => {
            format!("unknown {} {name:?}; known: {}", node.name(), known.join(", "))
        }
        DeserializerError::MissingField(name) => format!("missing key {name:?} {}", table(&node.path)),
        DeserializerError::InvalidType(found, expected) | DeserializerError::InvalidValue(found, expected) => {
            format!("{}: expected {}, found {}", node.key(), wanted(expected), had(&found.to_unexpected()))
        }
        other => format!("{}: {other}", node.key()),
    }
}

fn spelling(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => format!("; known: {}", known.join(", ")),
    }
}

fn parent(path: &[String]) -> &[String] {
    path.split_last().map_or(&[], |(_, parent)| parent)
}

/// A table as its header in the file: `in [train]`, `in [[tasks]]`.
fn table(path: &[String]) -> String {
    let is_index = |part: &String| part.bytes().all(|b| b.is_ascii_digit());
    let names: Vec<&str> = path.iter().filter(|part| !is_index(part)).map(String::as_str).collect();
    match path.last() {
        None => "at the top of the file".to_owned(),
        Some(last) if is_index(last) => format!("in [[{}]]", names.join(".")),
        Some(_) => format!("in [{}]", names.join(".")),
    }
}

/// The type that was expected, in the words of a configuration file. A type that is not listed keeps serde's words.
fn wanted(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "a nonzero usize" | "a nonzero u64" | "a nonzero u32" => "a whole number, 1 or more",
        "isize" | "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a string in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") || other.starts_with("dyn ") => "a table",
        other => other,
    }
}

/// The value that was found, in the words of a configuration file.
fn had(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number:?}"),
        Unexpected::Str(text) => format!("the string {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
