//! The tests of the notation, of the templates as written, and of the drawn sentences.

mod data;
mod drawn;
mod notation;

use datasets::read::Example;

use super::{TaskTemplates, Templates};
use crate::tasks::SplitName;

fn templates() -> Templates {
    Templates::load().unwrap()
}

fn draw(task: &TaskTemplates, split: SplitName, n: usize) -> Vec<Example> {
    templates().draw(task, split, 42, n).unwrap()
}

/// The type of a tag; none for `O`.
fn kind(tag: &str) -> Option<&str> {
    tag.split_once('-').map(|(_, kind)| kind)
}
