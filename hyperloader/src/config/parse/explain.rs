//! What serde said, said to a person: the place, the key, and the nearest right spelling.

use super::nodes::{Node, Nodes};
use super::source::Source;
use crate::Error;
use crate::config::nearest;

/// What a message of serde complains about.
enum Complaint<'a> {
    UnknownField { name: &'a str, known: Vec<&'a str> },
    UnknownVariant { name: &'a str, known: Vec<&'a str> },
    MissingField { name: &'a str },
    Unexpected { found: &'a str, expected: &'a str },
    Other,
}

impl<'a> Complaint<'a> {
    fn of(message: &'a str) -> Self {
        let mut quoted = message.split('`').skip(1).step_by(2);
        let mut first = || quoted.next().unwrap_or_default();
        if message.starts_with("unknown field `") {
            let name = first();
            Self::UnknownField { name, known: quoted.collect() }
        } else if message.starts_with("unknown variant `") {
            let name = first();
            Self::UnknownVariant { name, known: quoted.collect() }
        } else if message.starts_with("missing field `") {
            Self::MissingField { name: first() }
        } else if let Some((found, expected)) = mismatch(message) {
            Self::Unexpected { found, expected }
        } else {
            Self::Other
        }
    }
}

fn mismatch(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// The error at its line or override.
///
/// Where a table's type is found by a tag (`[[peft]]`, `[generator]`), serde knows the table only; the offender is then
/// looked for inside it.
pub(super) fn explain(error: &toml::de::Error, nodes: &Nodes, source: &Source<'_>) -> Error {
    let message = body(error.message());
    let Some(at) = nodes.at(error.span()) else {
        let offset = error.span().map_or(0, |span| span.start);
        return source.error(offset, message);
    };
    let complaint = Complaint::of(message);
    let offender = match &complaint {
        Complaint::UnknownField { name, .. } => nodes.named(at, name),
        Complaint::UnknownVariant { name, .. } => nodes.holding(at, name),
        Complaint::Unexpected { found, .. } => nodes.found(at, found),
        Complaint::MissingField { .. } | Complaint::Other => None,
    };
    let node = offender.unwrap_or(at);
    source.error(node.offset(), &say(&complaint, node, message))
}

fn say(complaint: &Complaint<'_>, node: &Node, message: &str) -> String {
    match complaint {
        Complaint::UnknownField { name, known } => {
            format!("unknown key {name:?} {}{}", place(parent(&node.path)), spelling(name, known))
        }
        Complaint::UnknownVariant { name, known } => {
            format!("unknown {} {name:?}; known: {}", node.name(), known.join(", "))
        }
        Complaint::MissingField { name } => format!("missing key {name:?} {}", place(&node.path)),
        Complaint::Unexpected { found, expected } => {
            format!("{}: expected {}, found {}", node.key(), wanted(expected), had(found))
        }
        Complaint::Other => format!("{}: {message}", node.key()),
    }
}

/// The message without the key that toml's own `Display` adds to nested errors.
fn body(message: &str) -> &str {
    let message = message.trim_end();
    match message.rsplit_once('\n') {
        Some((body, last)) if last.starts_with("in `") => body.trim_end(),
        _ => message,
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

/// A table as its header stands in the file: `in [train]`, `in [[tasks]]`.
fn place(path: &[String]) -> String {
    let is_index = |part: &String| part.bytes().all(|b| b.is_ascii_digit());
    let names: Vec<&str> = path.iter().filter(|part| !is_index(part)).map(String::as_str).collect();
    match path.last() {
        None => "at the top of the file".to_owned(),
        Some(last) if is_index(last) => format!("in [[{}]]", names.join(".")),
        Some(_) => format!("in [{}]", names.join(".")),
    }
}

/// What serde expected, in the words of a configuration file.
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

/// What serde found, in the words of a configuration file.
fn had(found: &str) -> String {
    let words = [("integer `", "the number "), ("floating point `", "the number ")];
    let number = words.iter().find_map(|(serde, ours)| Some(format!("{ours}{}", found.strip_prefix(serde)?)));
    match (number, found) {
        (Some(number), _) => number.trim_end_matches('`').to_owned(),
        (None, "boolean `true`") => "true".to_owned(),
        (None, "boolean `false`") => "false".to_owned(),
        (None, "sequence") => "a list".to_owned(),
        (None, "map") => "a table".to_owned(),
        (None, other) => other.strip_prefix("string ").map_or_else(|| other.to_owned(), |s| format!("the string {s}")),
    }
}
