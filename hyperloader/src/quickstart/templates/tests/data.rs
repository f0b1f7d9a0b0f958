//! What holds for every sentence that the templates can make, not only for those drawn.

use std::collections::BTreeSet;

use super::super::sentence::{Part, split};
use super::super::{TaskTemplates, Templates};
use super::templates;

#[test]
fn there_are_three_tasks_with_over_thirty_slot_types() {
    let templates = templates();
    assert_eq!(templates.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["travel", "home", "media"]);
    let types: BTreeSet<&str> = templates.tasks.iter().flat_map(TaskTemplates::slot_types).collect();
    // 14 + 15 + 14; `time` is in two tasks.
    assert_eq!(types.len(), 42);
    assert!(types.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
}

#[test]
fn every_list_and_slot_is_used() {
    let templates = templates();
    for task in &templates.tasks {
        for name in task.slot_types() {
            assert!(task.sentences.join(" ").contains(&format!("{{{name}}}")), "{name} in {}", task.name);
        }
    }
    let values = templates.tasks.iter().flat_map(|task| task.slots.values()).chain(templates.lists.values());
    let all = values.cloned().collect::<Vec<_>>().join(" ");
    for name in templates.lists.keys() {
        assert!(all.contains(&format!("<{name}>")), "{name}");
    }
}

#[test]
fn slots_and_lists_contain_no_slots() {
    let templates = templates();
    for (name, values) in templates.tasks.iter().flat_map(|task| &task.slots).chain(&templates.lists) {
        assert!(!values.contains('{'), "{name}: a word would have two tags");
    }
}

#[test]
fn every_possible_sentence_is_well_formed_and_has_4_to_14_words() {
    let templates = templates();
    for task in &templates.tasks {
        for sentence in &task.sentences {
            let (least, most) = lengths(&templates, task, sentence);
            assert!(least >= 4 && most <= 14, "{least} to {most} words: {sentence}");
        }
    }
}

/// The fewest and the most words of `choices`. Fails if a word contains a bracket, or a name is not defined.
fn lengths(templates: &Templates, task: &TaskTemplates, choices: &str) -> (usize, usize) {
    let length = |part: &str| match Part::new(part) {
        Part::Word(word) => {
            assert!(!word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase()), "`{word}` in `{choices}`");
            (1, 1)
        }
        Part::Choice(inner) => lengths(templates, task, inner),
        Part::Optional(inner) => (0, lengths(templates, task, inner).1),
        Part::List(name) => lengths(templates, task, &templates.lists[name]),
        Part::Slot(name) => lengths(templates, task, &task.slots[name]),
    };
    let alternative = |text| split(text, ' ').map(length).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    let all: Vec<_> = split(choices, '|').map(alternative).collect();
    (all.iter().map(|l| l.0).min().unwrap(), all.iter().map(|l| l.1).max().unwrap())
}
