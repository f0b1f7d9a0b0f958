//! From the text of a pattern to the pattern.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::pattern::{Node, Pattern};
use crate::{Error, Result};

/// What a pattern may name.
pub(super) struct Scope<'a> {
    /// For messages.
    task: &'a str,
    pub(super) lexicons: Names<'a>,
    pub(super) slots: Names<'a>,
}

type Names<'a> = BTreeMap<&'a str, Rc<Pattern>>;

impl<'a> Scope<'a> {
    pub(super) fn new(task: &'a str) -> Self {
        Self { task, lexicons: Names::new(), slots: Names::new() }
    }

    /// Parses a pattern whose names are all in scope.
    pub(super) fn parse(&self, source: &str) -> Result<Pattern> {
        let mut parser = Parser { scope: self, source, rest: source };
        let pattern = parser.pattern()?;
        match parser.peek() {
            None => Ok(pattern),
            Some(stray) => Err(parser.error(format!("`{stray}` closes nothing"))),
        }
    }
}

/// A recursive descent: `rest` is what is still to be read.
struct Parser<'a> {
    scope: &'a Scope<'a>,
    source: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// pattern = sequence { "|" sequence }
    fn pattern(&mut self) -> Result<Pattern> {
        let mut alternatives = vec![self.sequence()?];
        while self.take('|') {
            alternatives.push(self.sequence()?);
        }
        Ok(Pattern { alternatives })
    }

    /// sequence = node { node }
    fn sequence(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while let Some(node) = self.node()? {
            nodes.push(node);
        }
        if nodes.is_empty() {
            return Err(self.error("an alternative without words; what may be left out is written [...]"));
        }
        Ok(nodes)
    }

    /// node = "(" pattern ")" | "[" pattern "]" | "<" name ">" | "{" name "}" | word
    fn node(&mut self) -> Result<Option<Node>> {
        let scope = self.scope;
        Ok(Some(match self.peek() {
            None | Some('|' | ')' | ']') => return Ok(None),
            Some('(') => Node::Choice(Rc::new(self.bracketed('(', ')')?)),
            Some('[') => Node::Choice(Rc::new(Pattern::optional(self.bracketed('[', ']')?))),
            Some('<') => Node::Choice(self.named('<', '>', "lexicon", &scope.lexicons)?.1),
            Some('{') => {
                let (name, values) = self.named('{', '}', "slot", &scope.slots)?;
                Node::Slot(name.to_owned(), values)
            }
            Some(stray @ ('>' | '}')) => return Err(self.error(format!("`{stray}` closes nothing"))),
            Some(_) => Node::Word(self.word().to_owned()),
        }))
    }

    fn bracketed(&mut self, open: char, close: char) -> Result<Pattern> {
        let opened = self.rest;
        self.take(open);
        let inner = self.pattern()?;
        if self.take(close) {
            return Ok(inner);
        }
        match self.peek() {
            Some(other) => Err(self.error(format!("`{other}` where `{close}` was expected"))),
            None => Err(self.error_at(opened, format!("`{open}` is never closed"))),
        }
    }

    /// The name in a pair of brackets, and what it stands for.
    fn named(&mut self, open: char, close: char, what: &str, known: &Names<'_>) -> Result<(&'a str, Rc<Pattern>)> {
        let opened = self.rest;
        let Some((name, rest)) = opened.strip_prefix(open).and_then(|inner| inner.split_once(close)) else {
            return Err(self.error(format!("`{open}` is never closed")));
        };
        self.rest = rest;
        match known.get(name) {
            Some(values) => Ok((name, Rc::clone(values))),
            None => {
                let names = known.keys().copied().collect::<Vec<_>>().join(", ");
                Err(self.error_at(opened, format!("no {what} `{name}` in scope; known: {names}")))
            }
        }
    }

    /// Up to the next space or bracket.
    fn word(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || "()[]<>{}|".contains(c);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// The next character that is not a space, which `rest` then begins with.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    /// Steps over `expected` if it comes next.
    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.rest = self.rest.strip_prefix(expected).unwrap_or(self.rest);
        }
        found
    }

    fn error(&self, reason: impl AsRef<str>) -> Error {
        self.error_at(self.rest, reason)
    }

    /// An error where `rest`, an end of the source, begins.
    fn error_at(&self, rest: &str, reason: impl AsRef<str>) -> Error {
        let column = self.source.chars().count() - rest.chars().count() + 1;
        let (task, source, reason) = (self.scope.task, self.source, reason.as_ref());
        Error::Config(format!("grammar `{task}`, pattern `{source}`, column {column}: {reason}"))
    }
}
