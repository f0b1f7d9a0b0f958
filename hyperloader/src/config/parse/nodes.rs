//! The tree of a configuration as a flat list that can be searched by place and by content.

use std::ops::Range;

use serde::de::Unexpected;
use toml::Spanned;
use toml::de::DeValue;

/// One value of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Keys and indices from the root.
    pub(super) path: Vec<String>,
    key: Range<usize>,
    value: Range<usize>,
    /// The value as serde's messages name it: `integer `5``, `string "x"`.
    found: String,
    /// A string's content.
    pub(super) text: Option<String>,
}

impl Node {
    /// Where the node begins.
    pub(super) fn offset(&self) -> usize {
        self.key.start
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

/// All values of a tree, parents before children.
#[derive(Debug, Default)]
pub(super) struct Nodes(Vec<Node>);

impl Nodes {
    pub(super) fn of(root: &Spanned<DeValue<'_>>) -> Self {
        let mut nodes = Self::default();
        nodes.add(Vec::new(), root.span(), root);
        nodes
    }

    fn add(&mut self, path: Vec<String>, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let below = |name: String| path.iter().cloned().chain([name]).collect::<Vec<_>>();
        self.0.push(Node {
            path: path.clone(),
            key,
            value: value.span(),
            found: unexpected(value.get_ref()),
            text: value.get_ref().as_str().map(str::to_owned),
        });
        match value.get_ref() {
            DeValue::Table(table) => {
                for (name, value) in table {
                    self.add(below(name.get_ref().to_string()), name.span(), value);
                }
            }
            DeValue::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.add(below(index.to_string()), value.span(), value);
                }
            }
            _ => {}
        }
    }

    /// The innermost node whose key or value has exactly this span; the parser's errors carry such spans.
    pub(super) fn at(&self, span: Option<Range<usize>>) -> Option<&Node> {
        let span = span?;
        let exact = self.0.iter().filter(|node| node.key == span || node.value == span);
        exact.max_by_key(|node| node.path.len())
    }

    /// `node` and everything in it.
    fn within<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        self.0.iter().filter(|n| n.path.starts_with(&node.path))
    }

    /// The node in `node` whose key is `name`.
    pub(super) fn named<'a>(&'a self, node: &'a Node, name: &str) -> Option<&'a Node> {
        self.within(node).find(|n| n.name() == name)
    }

    /// The node in `node` that holds the string `text`.
    pub(super) fn holding<'a>(&'a self, node: &'a Node, text: &str) -> Option<&'a Node> {
        self.within(node).find(|n| n.text.as_deref() == Some(text))
    }

    /// The node in `node` whose value serde calls `found`.
    pub(super) fn found<'a>(&'a self, node: &'a Node, found: &str) -> Option<&'a Node> {
        self.within(node).find(|n| n.found == found)
    }

    /// Where the dotted `key` stands, or the innermost table of it that is there.
    pub(super) fn offset_of(&self, key: &str) -> usize {
        let inside = |node: &&Node| {
            let parent = node.key();
            key == parent || key.strip_prefix(&parent).is_some_and(|rest| rest.starts_with('.'))
        };
        let found = self.0.iter().filter(inside).max_by_key(|node| node.path.len());
        found.map_or(0, Node::offset)
    }
}

fn unexpected(value: &DeValue<'_>) -> String {
    let whole = |text: &str| text.parse().map(|n: i64| Unexpected::Signed(n).to_string());
    match value {
        DeValue::String(text) => Unexpected::Str(text).to_string(),
        DeValue::Integer(number) => whole(number.as_str()).unwrap_or_default(),
        DeValue::Float(number) => number.as_str().parse().map(|n| Unexpected::Float(n).to_string()).unwrap_or_default(),
        DeValue::Boolean(value) => Unexpected::Bool(*value).to_string(),
        DeValue::Datetime(_) => "datetime".to_owned(),
        DeValue::Array(_) => Unexpected::Seq.to_string(),
        DeValue::Table(_) => Unexpected::Map.to_string(),
    }
}
