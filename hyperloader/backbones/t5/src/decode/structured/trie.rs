//! The tags as a tree of tokens.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// A point within a tag: what was written of it.
pub(super) type Node = usize;

/// The tags of a task by their tokens.
#[derive(Debug, Clone)]
pub(super) struct TagTrie {
    nodes: Vec<Branch>,
}

#[derive(Debug, Clone, Default)]
struct Branch {
    children: BTreeMap<u32, Node>,
    /// The tag that is complete here.
    tag: Option<usize>,
}

impl TagTrie {
    /// Nothing is written yet.
    pub(super) const ROOT: Node = 0;

    /// The trie of tags by name and tokens.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no tag, one has no tokens, or two have the same.
    pub(super) fn new<S: AsRef<str>>(tags: &[(S, Vec<u32>)]) -> Result<Self> {
        if tags.is_empty() {
            return Err(Error::Config("the task has no tags to choose from; see tags.json in the run folder".into()));
        }
        let mut trie = Self { nodes: vec![Branch::default()] };
        for (number, (name, tokens)) in tags.iter().enumerate() {
            let name = name.as_ref();
            if tokens.is_empty() {
                return Err(Error::Config(format!(
                    "the tokenizer has no token for the tag {name:?}; give it another word in tasks.tag_words, or use \
                     decoding = \"free\""
                )));
            }
            if let Some(other) = trie.insert(number, tokens).and_then(|other| tags.get(other)) {
                return Err(Error::Config(format!(
                    "the tags {:?} and {name:?} are the same tokens, so that no model can tell them apart; give one another \
                     word in tasks.tag_words, or use decoding = \"free\"",
                    other.0.as_ref()
                )));
            }
        }
        Ok(trie)
    }

    /// Adds a tag, or gives the one that has its tokens already.
    fn insert(&mut self, tag: usize, tokens: &[u32]) -> Option<usize> {
        let mut node = Self::ROOT;
        for &token in tokens {
            let new = self.nodes.len();
            let Some(branch) = self.nodes.get_mut(node) else { break };
            node = *branch.children.entry(token).or_insert(new);
            if node == new {
                self.nodes.push(Branch::default());
            }
        }
        let branch = self.nodes.get_mut(node)?;
        let other = branch.tag;
        branch.tag = branch.tag.or(Some(tag));
        other
    }

    /// The tokens that go on with a tag, ascending.
    pub(super) fn children(&self, node: Node) -> impl Iterator<Item = u32> {
        self.nodes.get(node).into_iter().flat_map(|branch| branch.children.keys().copied())
    }

    /// Where `token` leads.
    pub(super) fn child(&self, node: Node, token: u32) -> Option<Node> {
        self.nodes.get(node)?.children.get(&token).copied()
    }

    /// The tag that is complete at `node`.
    pub(super) fn tag(&self, node: Node) -> Option<usize> {
        self.nodes.get(node)?.tag
    }

    /// Whether a tag's tokens are the beginning of another's.
    pub(super) fn has_prefixes(&self) -> bool {
        self.nodes.iter().any(|branch| branch.tag.is_some() && !branch.children.is_empty())
    }

    /// All tokens, ascending.
    pub(super) fn tokens(&self) -> std::collections::BTreeSet<u32> {
        self.nodes.iter().flat_map(|branch| branch.children.keys().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tags(tags: &[&[u32]]) -> Vec<(String, Vec<u32>)> {
        tags.iter().enumerate().map(|(i, tokens)| (format!("t{i}"), tokens.to_vec())).collect()
    }

    /// Follows tokens from the root.
    fn walk(trie: &TagTrie, tokens: &[u32]) -> Option<Node> {
        tokens.iter().try_fold(TagTrie::ROOT, |node, token| trie.child(node, *token))
    }

    #[test]
    fn a_tag_is_complete_exactly_at_its_last_token() {
        let trie = TagTrie::new(&tags(&[&[7], &[5, 6, 9], &[5, 6], &[5, 8]])).unwrap();
        let complete = |tokens: &[u32]| walk(&trie, tokens).map(|node| trie.tag(node));
        assert_eq!(complete(&[7]), Some(Some(0)));
        assert_eq!(complete(&[5]), Some(None));
        assert_eq!(complete(&[5, 6]), Some(Some(2)));
        assert_eq!(complete(&[5, 6, 9]), Some(Some(1)));
        assert_eq!(complete(&[5, 9]), None);
        assert_eq!(trie.children(TagTrie::ROOT).collect::<Vec<_>>(), [5, 7]);
        assert_eq!(trie.children(walk(&trie, &[5]).unwrap()).collect::<Vec<_>>(), [6, 8]);
        assert!(trie.has_prefixes());
        assert!(!TagTrie::new(&tags(&[&[7], &[5, 6]])).unwrap().has_prefixes());
    }

    #[test]
    fn tags_that_cannot_be_told_apart_are_named() {
        let error = TagTrie::new(&tags(&[&[3], &[4, 5], &[4, 5]])).unwrap_err().to_string();
        assert!(error.contains("\"t1\" and \"t2\"") && error.contains("tag_words"), "{error}");
        assert!(TagTrie::new(&tags(&[&[3], &[]])).unwrap_err().to_string().contains("\"t1\""));
        assert!(TagTrie::new(&tags(&[])).unwrap_err().to_string().contains("no tags"));
    }
}
