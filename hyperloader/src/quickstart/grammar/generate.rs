//! Sentences of a task.

use std::rc::Rc;

use datasets::read::Example;
use datasets::sample::Rng;

use super::TaskGrammar;
use super::parse::Scope;
use super::pattern::{Node, Pattern};
use crate::Result;

/// Draws `n` sentences of `task`, with repetition: the same for the same seed, on every machine. A shorter draw
/// is the beginning of a longer one. The seeds of a corpus's parts are [`Split::seed`](super::Split::seed).
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) with the task, the pattern and the column if a pattern is malformed or
/// names a slot or a lexicon that is not there. The grammars of [`tasks`](super::tasks) are all well formed.
pub fn generate(task: &TaskGrammar, seed: u64, n: usize) -> Result<Vec<Example>> {
    let grammar = read(task)?;
    let mut rng = Rng::seeded(seed);
    let draw = |_| {
        let sentence = grammar.draw(&mut rng);
        Example::new(sentence.tokens, sentence.tags)
    };
    Ok((0..n).map(draw).collect())
}

/// The one pattern that makes every sentence of a task.
pub(super) fn read(task: &TaskGrammar) -> Result<Pattern> {
    let mut scope = Scope::new(task.name);
    for &(name, values) in task.lexicons {
        let values = scope.parse(values)?;
        scope.lexicons.insert(name, Rc::new(values));
    }
    // All are parsed before the first is in scope: a slot inside a slot would have two tags.
    let slots = task.slots.iter().map(|&(name, values)| Ok((name, Rc::new(scope.parse(values)?))));
    scope.slots = slots.collect::<Result<_>>()?;
    let sentences = task.sentences.iter().map(|sentence| Ok(vec![Node::Choice(Rc::new(scope.parse(sentence)?))]));
    Ok(Pattern { alternatives: sentences.collect::<Result<_>>()? })
}
