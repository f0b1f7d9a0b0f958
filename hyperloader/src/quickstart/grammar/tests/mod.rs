//! What the parser and the corpus promise.

mod corpus;
mod grammars;
mod parser;

use datasets::read::Example;

use super::{Split, TaskGrammar, generate};

fn draw(task: &TaskGrammar, split: Split, n: usize) -> Vec<Example> {
    generate(task, split.seed(42), n).unwrap()
}

/// The type of a tag; none for `O`.
fn kind(tag: &str) -> Option<&str> {
    tag.split_once('-').map(|(_, kind)| kind)
}
