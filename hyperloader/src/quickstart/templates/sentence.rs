//! From a template to the words and tags of one sentence.

use datasets::sample::Rng;

use super::Choices;
use crate::{Error, Result};

/// A sentence that is being written.
pub(super) struct Sentence<'a> {
    lists: &'a Choices,
    slots: &'a Choices,
    rng: &'a mut Rng,
    pub(super) tokens: Vec<String>,
    pub(super) tags: Vec<String>,
}

/// One part of a template.
pub(super) enum Part<'a> {
    /// `word`
    Word(&'a str),
    /// `(a|b)`
    Choice(&'a str),
    /// `[a|b]`
    Optional(&'a str),
    /// `<name>`
    List(&'a str),
    /// `{name}`
    Slot(&'a str),
}

impl<'a> Sentence<'a> {
    pub(super) fn new(lists: &'a Choices, slots: &'a Choices, rng: &'a mut Rng) -> Self {
        Self { lists, slots, rng, tokens: Vec::new(), tags: Vec::new() }
    }

    /// Appends one of the alternatives `a|b|c`.
    pub(super) fn append(&mut self, alternatives: &str) -> Result<()> {
        let alternatives: Vec<&str> = split(alternatives, '|').collect();
        // A number is drawn even for a single alternative: without it, every later draw would change.
        let chosen = alternatives.get(self.rng.below(alternatives.len())).copied().unwrap_or_default();
        for part in split(chosen, ' ').map(Part::new) {
            match part {
                Part::Word(word) => {
                    self.tokens.push(word.to_owned());
                    self.tags.push("O".to_owned());
                }
                Part::Choice(inner) => self.append(inner)?,
                Part::Optional(inner) if self.rng.below(2) == 1 => self.append(inner)?,
                Part::Optional(_) => {}
                Part::List(name) => self.append(named(self.lists, name)?)?,
                Part::Slot(name) => self.append_slot(name)?,
            }
        }
        Ok(())
    }

    /// Appends a value of the slot `name` and tags it as one span.
    fn append_slot(&mut self, name: &str) -> Result<()> {
        let begin = self.tokens.len();
        self.append(named(self.slots, name)?)?;
        for (i, tag) in self.tags.iter_mut().skip(begin).enumerate() {
            *tag = format!("{}-{name}", if i == 0 { 'B' } else { 'I' });
        }
        Ok(())
    }
}

impl<'a> Part<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let inside = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
        inside('(', ')')
            .map(Self::Choice)
            .or_else(|| inside('[', ']').map(Self::Optional))
            .or_else(|| inside('<', '>').map(Self::List))
            .or_else(|| inside('{', '}').map(Self::Slot))
            .unwrap_or(Self::Word(text))
    }
}

/// Splits a template at each `separator` that is not within brackets.
pub(super) fn split(template: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    template.split(move |c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c == separator
    })
}

fn named<'a>(choices: &'a Choices, name: &str) -> Result<&'a str> {
    let known = || choices.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    choices
        .get(name)
        .map(String::as_str)
        .ok_or_else(|| Error::Config(format!("quickstart templates: `{name}` is not defined; known: {}", known())))
}
