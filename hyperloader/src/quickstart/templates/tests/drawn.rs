//! What holds for the drawn sentences.

use std::collections::{BTreeMap, BTreeSet};

use datasets::read::Example;

use super::{draw, kind, templates};
use crate::tasks::SplitName;

#[test]
fn the_first_sentences_never_change() {
    let templates = templates();
    let first = templates.tasks.iter().map(|task| {
        let example = &draw(task, SplitName::Train, 1)[0];
        (example.tokens.join(" "), example.tags.join(" "))
    });
    let golden = [
        (
            "north star air delayed the ten pm flight to las vegas",
            "B-airline I-airline I-airline O O B-time I-time O O B-destination I-destination",
        ),
        ("every day at noon start the washing machine in the garage", "O O O B-time O O B-device I-device O O B-room"),
        (
            "the actor clara meyer left window and mountain after season six",
            "O O B-actor I-actor O B-series I-series I-series O O B-season",
        ),
    ];
    assert_eq!(first.collect::<Vec<_>>(), golden.map(|(tokens, tags)| (tokens.to_owned(), tags.to_owned())));
}

#[test]
fn a_seed_gives_the_same_sentences_and_a_smaller_number_gives_the_first_of_them() {
    for task in &templates().tasks {
        let long = draw(task, SplitName::Train, 100);
        assert_eq!(draw(task, SplitName::Train, 60), long[..60]);
        assert_ne!(templates().draw(task, SplitName::Train, 43, 100).unwrap(), long);
    }
}

#[test]
fn the_splits_of_neighboring_seeds_differ() {
    let templates = templates();
    let splits = [SplitName::Train, SplitName::Validation, SplitName::Test];
    let draw = |seed, split| templates.draw(&templates.tasks[0], split, seed, 20).unwrap();
    let drawn: Vec<_> = (0..10).flat_map(|seed| splits.map(|split| draw(seed, split))).collect();
    for (i, sentences) in drawn.iter().enumerate() {
        assert!(!drawn[..i].contains(sentences), "split {i} of 30");
    }
}

#[test]
fn tags_are_bio_of_the_tasks_own_types() {
    for task in &templates().tasks {
        for Example { tokens, tags, .. } in draw(task, SplitName::Train, 2000) {
            assert_eq!(tokens.len(), tags.len());
            assert!(tags.iter().filter_map(|tag| kind(tag)).all(|kind| task.slot_types().any(|known| known == kind)));
            for (tag, before) in tags.iter().zip(std::iter::once("O").chain(tags.iter().map(String::as_str))) {
                assert!(!tag.starts_with("I-") || kind(before) == kind(tag), "{tags:?}");
            }
        }
    }
}

#[test]
fn every_type_is_frequent_enough_to_be_learned() {
    for task in &templates().tasks {
        let train = draw(task, SplitName::Train, 2000);
        for slot in task.slot_types() {
            let spans = train.iter().flat_map(|e| &e.tags).filter(|tag| **tag == format!("B-{slot}")).count();
            assert!(spans >= 50, "{spans} spans of {slot} in {}", task.name);
        }
    }
}

#[test]
fn the_sentences_use_the_name_of_every_slot_as_a_word() {
    for task in &templates().tasks {
        let train = draw(task, SplitName::Train, 2000);
        for slot in task.slot_types() {
            let met = train.iter().filter(|example| example.tokens.iter().any(|token| token == slot)).count();
            assert!(met >= 10, "`{slot}` is in {met} sentences of {}", task.name);
        }
    }
}

#[test]
fn few_test_sentences_are_in_the_training_split() {
    for task in &templates().tasks {
        let train: BTreeSet<Vec<String>> = draw(task, SplitName::Train, 4000).into_iter().map(|e| e.tokens).collect();
        let test = draw(task, SplitName::Test, 1000);
        let seen = test.iter().filter(|example| train.contains(&example.tokens)).count();
        println!("{}: {seen} of 1000 test sentences seen, {} of 4000 distinct", task.name, train.len());
        assert!(seen < 100, "{seen} of 1000 in {}", task.name);
    }
}

#[test]
fn a_third_of_the_spans_have_several_words() {
    for task in &templates().tasks {
        let tags: Vec<String> = draw(task, SplitName::Train, 2000).into_iter().flat_map(|e| e.tags).collect();
        let spans = tags.iter().filter(|tag| tag.starts_with("B-")).count();
        let long = tags.windows(2).filter(|pair| pair[0].starts_with("B-") && pair[1].starts_with("I-")).count();
        println!("{}: {long} of {spans} spans have several words", task.name);
        assert!(long * 3 >= spans, "{long} of {spans} in {}", task.name);
    }
}

/// How often each word has each tag.
type Uses = BTreeMap<String, BTreeMap<String, usize>>;

fn uses(examples: &[Example]) -> Uses {
    let mut uses = Uses::new();
    for (token, tag) in examples.iter().flat_map(|e| e.tokens.iter().zip(&e.tags)) {
        *uses.entry(token.clone()).or_default().entry(tag.clone()).or_default() += 1;
    }
    uses
}

#[test]
fn a_word_alone_does_not_determine_its_tag() {
    for task in &templates().tasks {
        let uses = uses(&draw(task, SplitName::Train, 4000));
        let tokens: usize = uses.values().flat_map(BTreeMap::values).sum();
        let several = uses.values().filter(|tags| tags.len() > 1);
        let ambiguous: usize = several.flat_map(BTreeMap::values).sum();
        // The errors of the best model that sees one word at a time: it gives each word its most frequent tag.
        let best: usize = uses.values().filter_map(|tags| tags.values().max()).sum();
        let wrong = tokens - best;
        println!(
            "{}: of {tokens} tokens {ambiguous} have ambiguous words, {wrong} are wrong with the best tag per word",
            task.name
        );
        assert!(ambiguous * 4 >= tokens, "{ambiguous} of {tokens} in {}", task.name);
        assert!(wrong * 10 >= tokens, "{wrong} of {tokens} in {}", task.name);
    }
}

#[test]
fn a_sentence_always_has_the_same_tags() {
    for task in &templates().tasks {
        let mut known = BTreeMap::new();
        for Example { tokens, tags, .. } in draw(task, SplitName::Train, 50_000) {
            let first = known.entry(tokens).or_insert_with(|| tags.clone());
            assert_eq!(*first, tags, "{}", task.name);
        }
    }
}

#[test]
fn the_vocabulary_is_small_and_shared() {
    let templates = templates();
    let words = templates
        .tasks
        .iter()
        .map(|task| uses(&draw(task, SplitName::Train, 4000)).into_keys().collect::<BTreeSet<_>>());
    let words: Vec<BTreeSet<String>> = words.collect();
    let all: BTreeSet<&String> = words.iter().flatten().collect();
    let shared = all.iter().filter(|word| words.iter().filter(|task| task.contains(**word)).count() > 1).count();
    println!("{} words, {shared} in several tasks", all.len());
    assert!((300..=900).contains(&all.len()), "{}", all.len());
    assert!(shared * 4 >= all.len(), "{shared} of {}", all.len());
}
