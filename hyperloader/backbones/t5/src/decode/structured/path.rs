//! One target being written.

use super::grammar::{Move, State, TagGrammar};
use super::tags::TagSequence;

/// What was written for one sentence, and the part that the decoder has not read yet.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) state: State,
    /// Tokens that are certain and not in the cache.
    pub(super) pending: Vec<u32>,
    pub(super) sequence: TagSequence,
    words: usize,
    /// Tokens of the tag that is being written, and the logarithm of its probability so far.
    written: usize,
    log_p: f64,
}

impl Path {
    /// The beginning: the start token and the first sentinel, with whatever must follow.
    pub(super) fn new(grammar: &TagGrammar, start: u32, words: usize) -> Self {
        let pending = std::iter::once(start).chain(grammar.sentinel(0)).collect();
        let sequence =
            TagSequence { tags: Vec::with_capacity(words), confidences: Vec::with_capacity(words), score: 0. };
        let mut path = Self { state: State::START, pending, sequence, words, written: 0, log_p: 0. };
        path.go_on(grammar);
        path
    }

    /// Whether every word has its tag.
    pub(super) fn is_done(&self) -> bool {
        self.state.word >= self.words
    }

    /// The sum of the logarithms of all probabilities, those of the tag that is being written included.
    pub(super) fn total(&self) -> f64 {
        self.sequence.score + self.log_p
    }

    /// The tag before the one that is being written.
    pub(super) fn last_tag(&self) -> Option<usize> {
        self.sequence.tags.last().copied()
    }

    /// The token that would go on with `tag`.
    pub(super) fn spell(&self, grammar: &TagGrammar, tag: usize) -> Option<u32> {
        grammar.spell(tag, self.written, self.state)
    }

    /// Writes `token`, whose probability has the logarithm `log_p`, and whatever must follow it.
    pub(super) fn choose(&mut self, grammar: &TagGrammar, token: u32, log_p: f64) {
        self.log_p += log_p;
        self.write(grammar, token);
        self.go_on(grammar);
    }

    /// The first `count` pending tokens are in the cache now.
    pub(super) fn was_read(&mut self, count: usize) {
        self.pending.drain(..count.min(self.pending.len()));
    }

    /// Writes tokens as long as there is no choice.
    fn go_on(&mut self, grammar: &TagGrammar) {
        while !self.is_done()
            && let Some(only) = grammar.only(self.state)
        {
            self.write(grammar, only);
        }
    }

    fn write(&mut self, grammar: &TagGrammar, token: u32) {
        self.pending.push(token);
        match grammar.follow(self.state, token) {
            Some(Move::Within(state)) => {
                self.state = state;
                self.written += 1;
            }
            Some(Move::Ends(tag, state)) => {
                self.sequence.tags.push(tag);
                self.sequence.confidences.push(self.log_p.exp() as f32);
                self.sequence.score += self.log_p;
                (self.state, self.written, self.log_p) = (state, 0, 0.);
            }
            // Only options are ever written.
            None => {}
        }
    }
}
