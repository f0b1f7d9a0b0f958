//! The grammars as written: what holds of every sentence they can make, not only of those drawn.

use std::collections::BTreeSet;

use super::super::generate::read;
use super::super::lexicons::SHARED;
use super::super::pattern::{Node, Pattern};
use super::super::tasks;

#[test]
fn there_are_three_tasks_with_over_thirty_slot_types() {
    assert_eq!(tasks().iter().map(|task| task.name).collect::<Vec<_>>(), ["travel", "home", "media"]);
    let types: BTreeSet<&str> = tasks().iter().flat_map(|task| task.slot_types()).collect();
    // 14 + 15 + 14, of which `time` is in two tasks.
    assert_eq!(types.len(), 42);
    assert!(types.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
}

#[test]
fn every_name_is_defined_once_and_used() {
    for task in tasks() {
        let names: BTreeSet<&str> = task.slot_types().collect();
        assert_eq!(names.len(), task.slots.len(), "{}", task.name);
        for name in names {
            assert!(task.sentences.join(" ").contains(&format!("{{{name}}}")), "{name} in {}", task.name);
        }
    }
    let lexicons: BTreeSet<&str> = SHARED.iter().map(|&(name, _)| name).collect();
    assert_eq!(lexicons.len(), SHARED.len());
    let values = tasks().iter().flat_map(|task| task.slots).chain(SHARED).map(|&(_, values)| values);
    let all = values.collect::<Vec<_>>().join(" ");
    for name in lexicons {
        assert!(all.contains(&format!("<{name}>")), "{name}");
    }
}

#[test]
fn every_possible_sentence_has_4_to_14_words() {
    let mut outside = Vec::new();
    for task in tasks() {
        for (sentence, parsed) in task.sentences.iter().zip(&read(task).unwrap().alternatives) {
            let (least, most) = sequence_lengths(parsed);
            if least < 4 || most > 14 {
                outside.push(format!("{least} to {most} words: {sentence}"));
            }
        }
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

/// The fewest and the most words.
fn lengths(pattern: &Pattern) -> (usize, usize) {
    let all: Vec<_> = pattern.alternatives.iter().map(|nodes| sequence_lengths(nodes)).collect();
    (all.iter().map(|l| l.0).min().unwrap(), all.iter().map(|l| l.1).max().unwrap())
}

fn sequence_lengths(nodes: &[Node]) -> (usize, usize) {
    let length = |node: &Node| match node {
        Node::Word(_) => (1, 1),
        Node::Choice(inner) | Node::Slot(_, inner) => lengths(inner),
    };
    nodes.iter().map(length).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
}
