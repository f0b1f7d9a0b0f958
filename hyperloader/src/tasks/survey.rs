//! What is odd about the splits of a task, although each line can be read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use datasets::Example;
use datasets::labels::Tag;
use datasets::tokenizer::{T5Tokenizer, WordEncoder};

use super::split::SplitName;
use crate::Result;

/// A corpus of fewer sentences may have one token each.
const ENOUGH_SENTENCES: usize = 10;

/// The sentences of one split.
#[derive(Debug, Clone)]
pub struct Split<'a> {
    /// Which one.
    pub name: SplitName,
    /// Its sentences.
    pub examples: &'a [Example],
    /// The number of spans of each type.
    pub types: BTreeMap<&'a str, usize>,
}

impl<'a> Split<'a> {
    /// A split whose types are counted.
    #[must_use]
    pub fn new(name: SplitName, examples: &'a [Example]) -> Self {
        Self { name, examples, types: types(examples) }
    }
}

/// Warnings about the splits of a task, each with a count and an example; one warning a kind and split.
///
/// Splits without spans, types that training does not have, types that differ by case alone, sentences that are also in
/// training, and sentences of one token only. The first split is the one that the others are compared with.
#[must_use]
pub fn survey(splits: &[Split<'_>]) -> Vec<String> {
    let mut warnings = without_spans(splits);
    warnings.extend(differing_by_case(splits));
    warnings.extend(splits.iter().filter_map(one_token_each));
    let Some((first, others)) = splits.split_first() else {
        return warnings;
    };
    if others.is_empty() {
        return warnings;
    }
    let sentences = first.examples.iter().map(|example| example.tokens.as_slice()).collect();
    for other in others {
        warnings.extend(new_types(first, other));
        warnings.extend(duplicates(first, &sentences, other));
    }
    warnings
}

/// A warning about the words of which `tokenizer` keeps nothing, or not every letter; `None` if there are none.
///
/// # Errors
/// If the tokenizer fails.
pub fn unknown_words(splits: &[Split<'_>], tokenizer: &T5Tokenizer) -> Result<Option<String>> {
    let mut words: HashMap<&str, usize> = HashMap::new();
    let mut order = Vec::new();
    for word in splits.iter().flat_map(|split| split.examples).flat_map(|example| &example.tokens) {
        let count = words.entry(word).or_default();
        if *count == 0 {
            order.push(word.as_str());
        }
        *count += 1;
    }
    let mut encoder = WordEncoder::new(tokenizer);
    let (mut unknown, mut first, mut tokens) = (0, None, 0);
    for word in &order {
        let ids = encoder.ids(word)?;
        if ids.is_empty() || ids.contains(&tokenizer.unk_id()) {
            unknown += 1;
            tokens += words.get(word).copied().unwrap_or_default();
            first.get_or_insert(*word);
        }
    }
    Ok(first.map(|word| {
        let of = order.len();
        format!(
            "the tokenizer turns {unknown} of {of} words ({tokens} tokens) into <unk> or nothing, the first is {word:?}"
        )
    }))
}

/// The number of spans of each type.
fn types(examples: &[Example]) -> BTreeMap<&str, usize> {
    let mut types = BTreeMap::new();
    for tag in examples.iter().flat_map(|example| &example.tags) {
        match Tag::parse(tag) {
            Ok(Tag::Begin(kind)) => *types.entry(kind).or_default() += 1,
            Ok(Tag::Inside(kind)) => _ = types.entry(kind).or_default(),
            _ => {}
        }
    }
    types
}

fn without_spans(splits: &[Split<'_>]) -> Vec<String> {
    let empty: Vec<&Split<'_>> = splits.iter().filter(|split| split.types.is_empty()).collect();
    match empty.len() == splits.len() && splits.len() > 1 {
        true => vec!["the task has no spans: every tag of every split is O".to_owned()],
        false => empty.iter().map(|split| format!("{} has no spans: every tag is O", split.name)).collect(),
    }
}

fn differing_by_case(splits: &[Split<'_>]) -> Option<String> {
    let all: BTreeSet<&str> = splits.iter().flat_map(|split| split.types.keys().copied()).collect();
    let mut folded: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for kind in all {
        folded.entry(kind.to_lowercase()).or_default().push(kind);
    }
    let same: Vec<&Vec<&str>> = folded.values().filter(|kinds| kinds.len() > 1).collect();
    let first: Vec<String> = same.first()?.iter().map(|kind| format!("`{kind}`")).collect();
    let count: usize = same.iter().map(|kinds| kinds.len()).sum();
    Some(format!("{count} types differ by case alone, for example {}", first.join(" and ")))
}

fn one_token_each(split: &Split<'_>) -> Option<String> {
    let count = split.examples.len();
    let single = count >= ENOUGH_SENTENCES && split.examples.iter().all(|example| example.tokens.len() == 1);
    single.then(|| format!("each of the {count} sentences of {} has one token: is a row a sentence in it?", split.name))
}

fn new_types(first: &Split<'_>, other: &Split<'_>) -> Option<String> {
    let new: Vec<(&&str, &usize)> = other.types.iter().filter(|(kind, _)| !first.types.contains_key(*kind)).collect();
    let (kind, _) = new.first()?;
    let spans: usize = new.iter().map(|(_, spans)| **spans).sum();
    let (count, name, in_first) = (new.len(), other.name, first.name);
    Some(format!("{count} types of {name} are not in {in_first} ({spans} spans), for example `{kind}`"))
}

fn duplicates(first: &Split<'_>, known: &HashSet<&[String]>, other: &Split<'_>) -> Option<String> {
    let same = || other.examples.iter().filter(|example| known.contains(example.tokens.as_slice()));
    let example = same().next()?;
    let (count, of, name, in_first) = (same().count(), other.examples.len(), other.name, first.name);
    let line = example.line.map_or(String::new(), |line| format!(" (line {line})"));
    let mut text: String = example.tokens.join(" ").chars().take(40).collect();
    if text.len() < example.tokens.join(" ").len() {
        text.push('…');
    }
    Some(format!("{count} of {of} sentences of {name} are also in {in_first}, for example {text:?}{line}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datasets::tokenizer::{TrainOptions, train_unigram};

    use super::*;

    fn sentence(pairs: &str) -> Example {
        let pairs = pairs.split(' ').map(|pair| pair.split_once('/').unwrap());
        let (tokens, tags): (Vec<&str>, Vec<&str>) = pairs.unzip();
        Example::new(tokens, tags)
    }

    fn warnings(train: &[&str], test: &[&str]) -> Vec<String> {
        let read = |sentences: &[&str]| sentences.iter().map(|pairs| sentence(pairs)).collect::<Vec<_>>();
        let (train, test) = (read(train), read(test));
        survey(&[Split::new(SplitName::Train, &train), Split::new(SplitName::Test, &test)])
    }

    #[test]
    fn ordinary_splits_have_no_warnings() {
        assert_eq!(warnings(&["to/O rome/B-city"], &["to/O oslo/B-city"]), Vec::<String>::new());
    }

    #[test]
    fn each_kind_is_one_line_with_a_count_and_an_example() {
        let train = ["to/O rome/B-city", "at/O noon/B-time"];
        assert_eq!(
            warnings(&train, &["to/O rome/B-city", "now/O"]),
            ["1 of 2 sentences of test are also in train, for example \"to rome\""]
        );
        assert_eq!(
            warnings(&train, &["a/B-day b/I-day c/B-age d/B-age"]),
            ["2 types of test are not in train (3 spans), for example `age`"]
        );
        let found = warnings(&train, &["oslo/B-City"]);
        assert!(found.contains(&"2 types differ by case alone, for example `City` and `city`".to_owned()), "{found:?}");
        assert_eq!(warnings(&train, &["so/O"]), ["test has no spans: every tag is O"]);
        assert_eq!(warnings(&["a/O"], &["so/O"]), ["the task has no spans: every tag of every split is O"]);
        let singles = ["a/B-x"; 10];
        assert!(warnings(&singles, &["so/B-x ./O"])[0].contains("each of the 10 sentences of train has one token"));
    }

    #[test]
    fn words_that_the_tokenizer_does_not_know_are_counted() {
        let options = TrainOptions { vocab_size: 150, keep_words: Vec::new() };
        let tokenizer = train_unigram(["to rome", "from rome"], &options).unwrap();
        let warning = |pairs: &str| {
            let examples = [sentence(pairs)];
            unknown_words(&[Split::new(SplitName::Train, &examples)], &tokenizer).unwrap()
        };
        assert_eq!(warning("to/O rome/O"), None);
        let found = warning("to/O \u{65e5}/O \u{65e5}/O").unwrap();
        assert!(found.contains("1 of 2 words (2 tokens)") && found.contains("\u{65e5}"), "{found}");
    }
}
