//! How templates are written.

use proptest::prelude::*;

use super::super::Templates;
use crate::tasks::SplitName;

/// A task with the slot `city`, whose one sentence is `sentence`.
fn templates(sentence: &str) -> Templates {
    toml::from_str(&format!(
        r#"
        lists.name = "lima"
        [[tasks]]
        name = "t"
        sentences = ['''{sentence}''']
        slots.city = "<name>|new york"
        "#
    ))
    .unwrap()
}

/// The tokens and tags of `n` sentences, as `token/tag token/tag`.
fn tagged(sentence: &str, n: usize) -> crate::Result<Vec<String>> {
    let templates = templates(sentence);
    let examples = templates.draw(&templates.tasks[0], SplitName::Train, 1, n)?;
    let pairs = |(token, tag): (&String, &String)| format!("{token}/{tag}");
    Ok(examples.iter().map(|e| e.tokens.iter().zip(&e.tags).map(pairs).collect::<Vec<_>>().join(" ")).collect())
}

/// All different sentences that `sentence` can make, sorted.
fn all(sentence: &str) -> Vec<String> {
    let mut all = tagged(sentence, 200).unwrap();
    all.sort();
    all.dedup();
    all
}

#[test]
fn choices_optional_parts_lists_and_slots_become_words_and_tags() {
    assert_eq!(all("a b|c"), ["a/O b/O", "c/O"]);
    assert_eq!(all("(a|b) c"), ["a/O c/O", "b/O c/O"]);
    assert_eq!(all("(a (b|c d)|e)"), ["a/O b/O", "a/O c/O d/O", "e/O"]);
    assert_eq!(all("a [b|c]"), ["a/O", "a/O b/O", "a/O c/O"]);
    assert_eq!(all("<name>"), ["lima/O"]);
    assert_eq!(all("to {city}"), ["to/O lima/B-city", "to/O new/B-city york/I-city"]);
}

#[test]
fn two_slots_in_a_row_are_two_spans() {
    assert!(all("{city} {city}").contains(&"lima/B-city new/B-city york/I-city".to_owned()));
}

#[test]
fn an_alternative_written_twice_is_twice_as_likely() {
    let count = tagged("a|a|b", 9000).unwrap().iter().filter(|sentence| *sentence == "a/O").count();
    // Five standard deviations of Binomial(9000, 2/3) are 224.
    assert!(count.abs_diff(6000) < 224, "{count}");
}

#[test]
fn an_undefined_name_is_an_error() {
    for (sentence, expected) in [
        ("to {town}", "quickstart templates: `town` is not defined; known: city"),
        ("to <city>", "quickstart templates: `city` is not defined; known: name"),
    ] {
        assert_eq!(tagged(sentence, 1).unwrap_err().to_string(), expected);
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-cé(){}<>|\\[\\] ]{0,30}") {
        let _ = tagged(&text, 3);
    }
}
