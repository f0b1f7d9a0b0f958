//! The notation of patterns.

use std::rc::Rc;

use proptest::prelude::*;

use super::super::parse::Scope;
use super::super::pattern::{Node, Pattern};
use super::super::{TaskGrammar, generate};

/// A grammar with the slot `city`, whose one sentence is `sentence`.
fn grammar(sentence: &'static str) -> TaskGrammar {
    let sentences = Box::leak(Box::new([sentence]));
    TaskGrammar { name: "t", sentences, slots: &[("city", "<name>|new york")], lexicons: &[("name", "lima")] }
}

/// The tagged sentences that `sentence` makes, as `word/tag …`, sorted.
fn said(sentence: &'static str) -> Vec<String> {
    let examples = generate(&grammar(sentence), 1, 200).unwrap();
    let tagged = |(token, tag): (&String, &String)| format!("{token}/{tag}");
    let mut said: Vec<String> =
        examples.iter().map(|e| e.tokens.iter().zip(&e.tags).map(tagged).collect::<Vec<_>>().join(" ")).collect();
    said.sort();
    said.dedup();
    said
}

#[test]
fn choices_options_lexicons_and_slots_mean_what_the_table_says() {
    assert_eq!(said("a b|c"), ["a/O b/O", "c/O"]);
    assert_eq!(said("(a|b) c"), ["a/O c/O", "b/O c/O"]);
    assert_eq!(said("a [b|c]"), ["a/O", "a/O b/O", "a/O c/O"]);
    assert_eq!(said("<name>"), ["lima/O"]);
    assert_eq!(said("to {city}"), ["to/O lima/B-city", "to/O new/B-city york/I-city"]);
}

#[test]
fn slots_side_by_side_are_two_spans() {
    assert!(said("{city}{city}").contains(&"lima/B-city new/B-city york/I-city".to_owned()));
}

#[test]
fn an_alternative_written_twice_comes_twice_as_often() {
    let examples = generate(&grammar("a|a|b"), 3, 9000).unwrap();
    let count = examples.iter().filter(|example| example.tokens == ["a"]).count();
    // Five standard deviations of Binomial(9000, 2/3) are 224.
    assert!(count.abs_diff(6000) < 224, "{count}");
}

#[test]
fn an_error_names_task_pattern_column_and_reason() {
    for (sentence, column, reason) in [
        ("fly (to", 5, "`(` is never closed"),
        ("fly [to)", 8, "`)` where `]` was expected"),
        ("é to]", 5, "`]` closes nothing"),
        ("to >", 4, "`>` closes nothing"),
        ("to {city", 4, "`{` is never closed"),
        ("to {town}", 4, "no slot `town` in scope; known: city"),
        ("to <city>", 4, "no lexicon `city` in scope; known: name"),
        ("(a||b)", 4, "an alternative without words; what may be left out is written [...]"),
        ("", 1, "an alternative without words; what may be left out is written [...]"),
    ] {
        let error = generate(&grammar(sentence), 1, 1).unwrap_err().to_string();
        assert_eq!(error, format!("grammar `t`, pattern `{sentence}`, column {column}: {reason}"));
    }
}

#[test]
fn a_slot_cannot_hold_a_slot_nor_a_lexicon_itself() {
    let nested = TaskGrammar { slots: &[("a", "x"), ("b", "{a}")], ..grammar("{b}") };
    assert!(generate(&nested, 1, 1).unwrap_err().to_string().contains("no slot `a` in scope"));
    let circular = TaskGrammar { lexicons: &[("name", "<name>")], ..grammar("x") };
    assert!(generate(&circular, 1, 1).unwrap_err().to_string().contains("no lexicon `name` in scope"));
}

fn scope() -> Scope<'static> {
    let mut scope = Scope::new("t");
    scope.slots.insert("city", Rc::new(city()));
    scope
}

fn city() -> Pattern {
    Pattern { alternatives: vec![vec![Node::Word("lima".to_owned())]] }
}

/// Any pattern that the notation can write, but for lexicons, whose names do not remain.
fn patterns() -> impl Strategy<Value = Pattern> {
    let leaf = prop_oneof![
        3 => "[a-zé'.-]{1,6}".prop_map(Node::Word),
        1 => Just(Node::Slot("city".to_owned(), Rc::new(city()))),
    ];
    let node = leaf.prop_recursive(3, 24, 4, |node| {
        (alternatives(node), any::<bool>()).prop_map(|(inner, optional)| {
            Node::Choice(Rc::new(if optional { Pattern::optional(inner) } else { inner }))
        })
    });
    alternatives(node)
}

fn alternatives(node: impl Strategy<Value = Node>) -> impl Strategy<Value = Pattern> {
    let sequence = prop::collection::vec(node, 1..4);
    prop::collection::vec(sequence, 1..4).prop_map(|alternatives| Pattern { alternatives })
}

fn written(pattern: &Pattern) -> String {
    let sequence = |nodes: &Vec<Node>| nodes.iter().map(written_node).collect::<Vec<_>>().join(" ");
    pattern.alternatives.iter().map(sequence).collect::<Vec<_>>().join("|")
}

fn written_node(node: &Node) -> String {
    match node {
        Node::Word(word) => word.clone(),
        Node::Slot(name, _) => format!("{{{name}}}"),
        Node::Choice(choice) => match choice.alternatives.as_slice() {
            [nothing, some] if nothing.is_empty() => match some.as_slice() {
                [Node::Choice(inner)] => format!("[{}]", written(inner)),
                other => panic!("no optional part: {other:?}"),
            },
            _ => format!("({})", written(choice)),
        },
    }
}

proptest! {
    #[test]
    fn a_written_pattern_is_read_back(pattern in patterns()) {
        prop_assert_eq!(scope().parse(&written(&pattern)).unwrap(), pattern);
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error_within_it(text in "[a-cé(){}<>|\\[\\] ]{0,30}") {
        if let Err(error) = scope().parse(&text) {
            let message = error.to_string();
            let column = message.split("column ").last().and_then(|rest| rest.split(':').next()).unwrap();
            prop_assert!((1..=text.chars().count() + 1).contains(&column.parse().unwrap()), "{}", message);
        }
    }
}
