//! A parsed pattern, and the sentences it makes.

use std::rc::Rc;

use datasets::sample::Rng;

/// Alternatives, one of which is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) alternatives: Vec<Vec<Node>>,
}

/// One place in a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Said as it is.
    Word(String),
    /// A choice, or the values of a lexicon.
    Choice(Rc<Pattern>),
    /// The values of a slot, which become one span.
    Slot(String, Rc<Pattern>),
}

/// Words and their BIO tags, as they are written.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    pub(super) tokens: Vec<String>,
    pub(super) tags: Vec<String>,
}

/// The span that is being written: its type and the token it began at.
#[derive(Clone, Copy)]
struct Span<'a> {
    kind: &'a str,
    begin: usize,
}

impl Pattern {
    /// `inner`, or nothing.
    pub(super) fn optional(inner: Self) -> Self {
        Self { alternatives: vec![Vec::new(), vec![Node::Choice(Rc::new(inner))]] }
    }

    /// A random sentence of this pattern.
    pub(super) fn draw(&self, rng: &mut Rng) -> Sentence {
        let mut sentence = Sentence::default();
        sentence.say(self, None, rng);
        sentence
    }
}

impl Sentence {
    fn say(&mut self, pattern: &Pattern, span: Option<Span<'_>>, rng: &mut Rng) {
        let chosen = pattern.alternatives.get(rng.below(pattern.alternatives.len()));
        for node in chosen.into_iter().flatten() {
            match node {
                Node::Word(word) => self.push(word, span),
                Node::Choice(inner) => self.say(inner, span, rng),
                Node::Slot(kind, value) => {
                    let begin = self.tokens.len();
                    self.say(value, Some(Span { kind, begin }), rng);
                }
            }
        }
    }

    fn push(&mut self, word: &str, span: Option<Span<'_>>) {
        self.tags.push(match span {
            None => "O".to_owned(),
            Some(Span { kind, begin }) if begin == self.tokens.len() => format!("B-{kind}"),
            Some(Span { kind, .. }) => format!("I-{kind}"),
        });
        self.tokens.push(word.to_owned());
    }
}
