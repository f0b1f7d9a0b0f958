//! The tree of a configuration as a flat list that can be searched by path and by content.

use serde::de::Unexpected;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::source::Fault;
use super::wrong::Wrong;

/// One value of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Keys and indices from the root.
    pub(super) path: Vec<String>,
    /// The offset of the key, or of the value in a list.
    offset: usize,
    /// The value as the end of an error message: `, found the number 5`.
    pub(super) found: String,
    /// A string's content.
    pub(super) text: Option<String>,
    /// A number that does not fit into 64 bits.
    too_large: Option<String>,
}

impl Node {
    /// The offset at which the node begins.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Its last key; empty for the root.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Its dotted key.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }
}

/// All values of a tree, parents before children; the root is the first.
#[derive(Debug)]
pub(super) struct Nodes {
    root: Node,
    others: Vec<Node>,
}

impl Nodes {
    pub(super) fn of(root: &Spanned<DeValue<'_>>) -> Self {
        let mut nodes = Self { root: node(Vec::new(), root.span().start, root), others: Vec::new() };
        nodes.add_children(&[], root);
        nodes
    }

    fn add_children(&mut self, path: &[String], parent: &Spanned<DeValue<'_>>) {
        match parent.get_ref() {
            DeValue::Table(table) => {
                for (name, value) in table {
                    self.add(path, name.get_ref(), name.span().start, value);
                }
            }
            DeValue::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.add(path, &index.to_string(), value.span().start, value);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, parent: &[String], name: &str, offset: usize, value: &Spanned<DeValue<'_>>) {
        let path = [parent, &[name.to_owned()]].concat();
        self.others.push(node(path.clone(), offset, value));
        self.add_children(&path, value);
    }

    /// The first number that is too large.
    pub(super) fn too_large(&self) -> Option<Fault> {
        let fault = |node: &Node| {
            let number = node.too_large.as_ref()?;
            let reason = format!("{}: the number {number} is too large for any key", node.key());
            Some(Fault::new(node.offset, reason))
        };
        self.all().find_map(fault)
    }

    fn all(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.root).chain(&self.others)
    }

    /// The node at `path`, or the innermost one on the way to it.
    pub(super) fn at(&self, path: &[String]) -> &Node {
        let inside = self.all().filter(|node| path.starts_with(&node.path));
        inside.max_by_key(|node| node.path.len()).unwrap_or(&self.root)
    }

    /// `node` and everything in it.
    pub(super) fn within<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        self.all().filter(|n| n.path.starts_with(&node.path))
    }

    /// The offset of the dotted `key`, or of the innermost table of it that exists.
    pub(super) fn offset_of(&self, key: &str) -> usize {
        let inside = |node: &&Node| {
            let parent = node.key();
            key == parent || key.strip_prefix(&parent).is_some_and(|rest| rest.starts_with('.'))
        };
        let found = self.all().filter(inside).max_by_key(|node| node.path.len());
        found.map_or(0, Node::offset)
    }
}

fn node(path: Vec<String>, offset: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let value = value.get_ref();
    let too_large = match value {
        DeValue::Integer(number) if whole(number).is_none() => Some(number.to_string()),
        DeValue::Float(number) if overflows(number.as_str()) => Some(number.as_str().to_owned()),
        _ => None,
    };
    Node { path, offset, found: found(value), text: value.as_str().map(str::to_owned), too_large }
}

/// A number of at most 64 bits.
fn whole(number: &DeInteger<'_>) -> Option<Unexpected<'static>> {
    let (text, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(text, radix).map(Unexpected::Signed);
    signed.or_else(|_| u64::from_str_radix(text, radix).map(Unexpected::Unsigned)).ok()
}

/// Whether a number in digits is infinite as a float.
fn overflows(text: &str) -> bool {
    let is_in_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    is_in_digits && text.parse::<f64>().is_ok_and(f64::is_infinite)
}

fn found(value: &DeValue<'_>) -> String {
    let value = match value {
        DeValue::String(text) => Unexpected::Str(text),
        DeValue::Integer(number) => whole(number).unwrap_or(Unexpected::Other("a number that is too large")),
        DeValue::Float(number) => Unexpected::Float(number.as_str().parse().unwrap_or_default()),
        DeValue::Boolean(value) => Unexpected::Bool(*value),
        DeValue::Datetime(_) => Unexpected::Other("a date"),
        DeValue::Array(_) => Unexpected::Seq,
        DeValue::Table(_) => Unexpected::Map,
    };
    Wrong::found(&value)
}
