//! Errors of deserialization with their place: the line or the override, and the key.

use serde_path_to_error::{Path, Segment};

use super::nodes::{Node, Nodes};
use super::source::Fault;
use super::wrong::Wrong;

/// The error at its line or override.
///
/// `serde_path_to_error` says in which table or value deserialization failed. For a table whose type depends on a tag (`[[peft]]`,
/// `[generator]`) the path may end at the table, so the key or value that the message names is looked up inside it.
pub(super) fn explain(error: &serde_path_to_error::Error<Wrong>, nodes: &Nodes) -> Fault {
    let at = nodes.at(&keys(error.path()));
    let message = error.inner().to_string();
    let mut inside = nodes.within(at).filter_map(|node| Some((node, say(node, &message)?)));
    let (node, message) = inside.next().unwrap_or_else(|| (at, format!("{}: {message}", at.key())));
    Fault::new(node.offset(), message)
}

fn keys(path: &Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(key).collect()
}

/// The message with the place of `node`, if it is about that node.
fn say(node: &Node, message: &str) -> Option<String> {
    if message.starts_with(Wrong::MISSING) {
        return Some(format!("{message} {}", table(&node.path)));
    }
    let unknown_key = Wrong::key(node.name());
    if let Some(hint) = message.strip_prefix(&unknown_key) {
        return Some(format!("{unknown_key} {}{hint}", table(parent(&node.path))));
    }
    if let Some(text) = &node.text
        && let Some(hint) = message.strip_prefix(&Wrong::word(text))
    {
        return Some(format!("unknown {} {text:?}{hint}", node.name()));
    }
    message.ends_with(&node.found).then(|| format!("{}: {message}", node.key()))
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
