//! What may follow at each point of a target.

use super::trie::{Node, TagTrie};
use crate::error::{Error, Result};

/// A point of a target: which word's tag is being written, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// The number of the word; one more than the last once the target is complete.
    pub(super) word: usize,
    node: Node,
}

impl State {
    /// Before the tag of the first word.
    pub(super) const START: Self = Self { word: 0, node: TagTrie::ROOT };
}

/// What a token does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The tag goes on.
    Within(State),
    /// The tag of this number is complete: the token is the next sentinel.
    Ends(usize, State),
}

/// The targets that a task allows.
#[derive(Debug, Clone)]
pub(super) struct TagGrammar {
    trie: TagTrie,
    sentinels: Vec<u32>,
    /// Every token that is ever chosen, ascending.
    candidates: Vec<u32>,
    /// The tokens of each tag.
    tags: Vec<Vec<u32>>,
}

impl TagGrammar {
    pub(super) fn new<S: AsRef<str>>(tags: &[(S, Vec<u32>)], sentinels: &[u32]) -> Result<Self> {
        let trie = TagTrie::new(tags)?;
        let sentinel = |(_, tokens): &&(S, Vec<u32>)| tokens.iter().any(|token| sentinels.contains(token));
        if let Some((name, _)) = tags.iter().find(sentinel) {
            return Err(Error::Config(format!(
                "the tag {:?} contains a sentinel; give it another word in tasks.tag_words",
                name.as_ref()
            )));
        }
        let mut candidates = trie.tokens();
        if trie.has_prefixes() {
            candidates.extend(sentinels);
        }
        let tags = tags.iter().map(|(_, tokens)| tokens.clone()).collect();
        Ok(Self { trie, sentinels: sentinels.to_vec(), candidates: candidates.into_iter().collect(), tags })
    }

    /// The words of the longest target: the sentinel after the last word closes it.
    pub(super) fn most_words(&self) -> usize {
        self.sentinels.len().saturating_sub(1)
    }

    /// How many tags there are.
    pub(super) fn tags(&self) -> usize {
        self.tags.len()
    }

    /// Every token that is ever chosen, ascending.
    pub(super) fn candidates(&self) -> &[u32] {
        &self.candidates
    }

    /// The sentinel before word `word`.
    pub(super) fn sentinel(&self, word: usize) -> Option<u32> {
        self.sentinels.get(word).copied()
    }

    /// The tokens that may follow, ascending: those that continue a tag and, after a complete one, the next sentinel.
    pub(super) fn options(&self, state: State) -> Vec<u32> {
        let end = self.trie.tag(state.node).and_then(|_| self.sentinel(state.word + 1));
        let mut options: Vec<u32> = self.trie.children(state.node).chain(end).collect();
        options.sort_unstable();
        options
    }

    /// The token that must follow, if there is only one.
    pub(super) fn only(&self, state: State) -> Option<u32> {
        match self.options(state).as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// What `token` does at `state`; `None` if it may not follow.
    pub(super) fn follow(&self, state: State, token: u32) -> Option<Move> {
        if let Some(node) = self.trie.child(state.node, token) {
            return Some(Move::Within(State { node, ..state }));
        }
        let tag = self.trie.tag(state.node).filter(|_| self.sentinel(state.word + 1) == Some(token))?;
        Some(Move::Ends(tag, State { word: state.word + 1, node: TagTrie::ROOT }))
    }

    /// The token that writes `tag` once `written` tokens of the word are there.
    pub(super) fn spell(&self, tag: usize, written: usize, state: State) -> Option<u32> {
        let tokens = self.tags.get(tag)?;
        tokens.get(written).copied().or_else(|| self.sentinel(state.word + 1))
    }

    /// The options at `state` with the logarithms of their probabilities among themselves, given the logits of all
    /// candidates.
    pub(super) fn weigh(&self, state: State, logits: &[f32]) -> Vec<(u32, f64)> {
        let logit = |token: u32| {
            let column = self.candidates.binary_search(&token).ok();
            column.and_then(|column| logits.get(column)).map_or(f64::NEG_INFINITY, |logit| f64::from(*logit))
        };
        let options: Vec<(u32, f64)> = self.options(state).into_iter().map(|token| (token, logit(token))).collect();
        let max = options.iter().map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = options.iter().map(|(_, logit)| (logit - max).exp()).sum();
        options.into_iter().map(|(token, logit)| (token, logit - max - sum.ln())).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn grammar() -> TagGrammar {
        let tags = [("a", vec![7]), ("b", vec![5, 6, 9]), ("c", vec![5, 6]), ("d", vec![5, 8])];
        TagGrammar::new(&tags, &[20, 21, 19]).unwrap()
    }

    fn walk(tokens: &[u32]) -> State {
        let next = |state, token: &u32| match grammar().follow(state, *token).unwrap() {
            Move::Within(state) | Move::Ends(_, state) => state,
        };
        tokens.iter().fold(State::START, next)
    }

    #[test]
    fn after_a_complete_tag_the_next_sentinel_competes_with_longer_tags() {
        let g = grammar();
        assert_eq!(g.options(State::START), [5, 7]);
        assert_eq!(g.options(walk(&[5])), [6, 8]);
        assert_eq!(g.options(walk(&[5, 6])), [9, 21]);
        assert_eq!(g.only(walk(&[5, 6, 9])), Some(21));
        assert_eq!(g.options(walk(&[7, 21, 5, 6])), [9, 19], "the sentinel is that of the next word");
        assert_eq!(g.follow(walk(&[5, 6]), 21), Some(Move::Ends(2, State { word: 1, node: TagTrie::ROOT })));
        assert_eq!(g.follow(walk(&[5, 6]), 19), None);
        assert_eq!(g.follow(State::START, 6), None);
        assert_eq!(g.most_words(), 2);
    }

    #[test]
    fn probabilities_are_those_among_the_options() {
        let g = grammar();
        assert_eq!(g.candidates(), [5, 6, 7, 8, 9, 19, 20, 21]);
        let weighed = g.weigh(walk(&[5, 6]), &[9., 9., 9., 9., 1., 9., 9., 2.]);
        let odds = (weighed[1].1 - weighed[0].1).exp();
        assert!((odds - 1f64.exp()).abs() < 1e-9 && (weighed.iter().map(|w| w.1.exp()).sum::<f64>() - 1.).abs() < 1e-9);
        assert_eq!(weighed.iter().map(|w| w.0).collect::<Vec<_>>(), [9, 21]);
    }

    #[test]
    fn sentinels_are_weighed_only_where_a_tag_begins_another_and_are_no_part_of_tags() {
        let plain = TagGrammar::new(&[("a", vec![7]), ("b", vec![5, 6])], &[20, 21]).unwrap();
        assert_eq!(plain.candidates(), [5, 6, 7]);
        assert!(TagGrammar::new(&[("a", vec![7, 21])], &[20, 21]).unwrap_err().to_string().contains("sentinel"));
    }
}
