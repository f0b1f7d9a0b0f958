//! Every scheme is recognized, read as IOB2 and written back.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::convert::{from_iob2, to_iob2};
use super::found::SchemeFound;
use super::names::TagScheme;
use super::notation::{marked, notation};
use super::recognize::{Evidence, recognize};

fn sentences(text: &str) -> Vec<Vec<String>> {
    text.split('|').map(|tags| tags.split_whitespace().map(str::to_owned).collect()).collect()
}

fn found(text: &str) -> TagScheme {
    recognize(sentences(text).iter().map(Vec::as_slice))
}

/// The tags as IOB2, and how many break the rules of the recognized scheme.
fn read(text: &str) -> (String, usize) {
    let mut all = sentences(text);
    let scheme = recognize(all.iter().map(Vec::as_slice));
    let broken = all.iter_mut().map(|tags| to_iob2(scheme, tags).unwrap()).sum();
    (all.iter().map(|tags| tags.join(" ")).collect::<Vec<_>>().join(" | "), broken)
}

#[test]
fn the_scheme_is_the_one_that_the_corpus_breaks_least() {
    for (tags, scheme) in [
        ("O O | O", TagScheme::Iob2),
        ("B-a I-a O B-b | O", TagScheme::Iob2),
        ("B-a I-a O I-b | B-a O", TagScheme::Iob2),
        ("I-a I-a B-a O | O I-b", TagScheme::Iob1),
        ("I-a I-a O | I-b", TagScheme::Io),
        ("S-a O B-b E-b", TagScheme::Bioes),
        ("U-a O B-b I-b L-b", TagScheme::Bilou),
        ("W-a O B-b M-b E-b", TagScheme::Bmewo),
        ("S-a O B-b M-b E-b", TagScheme::Bmes),
        ("a a O b", TagScheme::Bare),
        ("B-a I-a O B-a I-a E-a", TagScheme::Iob2),
    ] {
        assert_eq!(found(tags), scheme, "{tags}");
    }
}

fn notation_of(text: &str) -> Option<String> {
    let all = sentences(text);
    let tags = || all.iter().map(Vec::as_slice);
    notation(&Evidence::of(tags()), None, tags()).map(|notation| notation.to_string())
}

#[test]
fn a_notation_is_recognized_if_all_tags_have_it() {
    for (tags, expected) in [
        ("b-per i-per o | b-loc", "b-TYPE"),
        ("b-PER i-PER O", "b-TYPE"),
        ("B_PER I_PER O B_work_of_art", "B_TYPE"),
        ("PER-B PER-I O | LOC-B", "TYPE-B"),
        ("B:PER O", "B:TYPE"),
        ("B/PER E/PER O S/x", "B/TYPE"),
        ("I.PER I.PER O", "B.TYPE"),
        ("per_b per_e o loc_s", "TYPE_b"),
    ] {
        assert_eq!(notation_of(tags).as_deref(), Some(expected), "{tags}");
    }
    for tags in [
        "B-a I-a O",
        "a a O b",
        "B_a b-a O",
        "B_a I_a O B-a",
        // Types that begin or end with a letter.
        "e-mail e-mail O",
        "b-movie e-mail e-mail O e-mail",
        "GROUP_B PER O",
        "O O",
    ] {
        assert_eq!(notation_of(tags), None, "{tags}");
    }
    let mixed = sentences("B_a b-a c O | b-a");
    assert_eq!(marked(mixed.iter().map(Vec::as_slice)), 3);
}

#[test]
fn a_notation_is_said() {
    let all = sentences("b-per o");
    let tags = || all.iter().map(Vec::as_slice);
    let notation = notation(&Evidence::of(tags()), None, tags());
    let line = SchemeFound { notation, spans: 1, ..SchemeFound::default() }.to_string();
    assert!(line.contains("b-TYPE are read as B-TYPE"), "{line}");
    let line = SchemeFound { scheme: TagScheme::Bare, marked: 2, spans: 3, ..SchemeFound::default() }.to_string();
    assert!(line.contains("2 tags look like B-TYPE"), "{line}");
}

#[test]
fn one_odd_tag_is_no_scheme() {
    // A single type in a corpus, letters without types, and words without any `O` are mistakes, not bare types.
    for tags in ["O Q | O", "B I O | B O", "NOUN VERB | NOUN"] {
        assert_eq!(found(tags), TagScheme::Iob2, "{tags}");
    }
}

#[test]
fn every_scheme_becomes_iob2() {
    let same = "B-a I-a B-a O | B-b I-b I-b | B-c";
    for tags in [
        "I-a I-a B-a O | I-b I-b I-b | I-c",
        "B-a E-a S-a O | B-b I-b E-b | S-c",
        "B-a L-a U-a O | B-b I-b L-b | U-c",
        "B-a E-a W-a O | B-b M-b E-b | W-c",
        same,
    ] {
        assert_eq!(read(tags), (same.to_owned(), 0), "{tags}");
    }
    assert_eq!(read("x x O | y"), ("B-x I-x O | B-y".to_owned(), 0));
}

#[test]
fn broken_sequences_are_counted_and_begin_a_span() {
    assert_eq!(read("S-a S-a E-b O B-a O S-c"), ("B-a B-a B-b O B-a O B-c".to_owned(), 2));
    assert_eq!(read("B-a I-a O I-b | B-a"), ("B-a I-a O I-b | B-a".to_owned(), 1));
    // After a marked end, the same type is another span.
    assert_eq!(read("B-a E-a I-a E-a S-b S-b").0, "B-a I-a B-a I-a B-b B-b");
}

#[test]
fn a_tag_of_another_scheme_is_named_with_what_was_expected() {
    let mut tags = ["S-a", "L-a"].map(str::to_owned);
    let error = to_iob2(TagScheme::Bioes, &mut tags).unwrap_err();
    assert_eq!(error.at, 1);
    assert!(error.reason.contains("\"L-a\"") && error.reason.contains("`E-TYPE`, `S-TYPE`"), "{}", error.reason);
    assert!("bioe".parse::<TagScheme>().unwrap_err().to_string().contains("did you mean `bioes`?"));
}

#[test]
fn a_conversion_is_said_with_the_number_of_spans() {
    let line = SchemeFound { scheme: TagScheme::Iob1, spans: 3, ..SchemeFound::default() }.to_string();
    assert!(line.contains("iob1") && line.contains("3 spans") && line.contains("converted to iob2"), "{line}");
}

fn well_formed() -> impl Strategy<Value = Vec<String>> {
    let span = ("[a-z]{2,3}", 1_usize..4).prop_map(|(kind, len)| {
        let inside = std::iter::repeat_n(format!("I-{kind}"), len - 1);
        std::iter::once(format!("B-{kind}")).chain(inside).collect()
    });
    let gap = (1_usize..3).prop_map(|len| vec!["O".to_owned(); len]);
    prop::collection::vec(prop_oneof![span, gap], 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn tags_in_any_notation_come_back(
        all in prop::collection::vec(well_formed(), 1..4), type_first: bool, lower_case: bool,
        separator in prop::sample::select(vec!['-', '_', ':', '/', '.', '|']),
    ) {
        let written = |tag: &String| match tag.split_once('-') {
            None => tag.clone(),
            Some((letter, kind)) => {
                let letter = if lower_case { letter.to_lowercase() } else { letter.to_owned() };
                if type_first { format!("{kind}{separator}{letter}") } else { format!("{letter}{separator}{kind}") }
            }
        };
        let mut tags: Vec<Vec<String>> = all.iter().map(|tags| tags.iter().map(written).collect()).collect();
        let sentences = || tags.iter().map(Vec::as_slice);
        let found = notation(&Evidence::of(sentences()), None, sentences());
        let usual = separator == '-' && !type_first && !lower_case;
        let spans = all.iter().flatten().any(|tag| tag != "O");
        prop_assert_eq!(found.is_some(), spans && !usual);
        if let Some(found) = found {
            tags.iter_mut().for_each(|tags| found.apply(tags));
        }
        prop_assert_eq!(tags, all);
    }

    #[test]
    fn what_is_written_in_a_scheme_is_recognized_and_read_back(
        all in prop::collection::vec(well_formed(), 1..4), scheme in prop::sample::select(&TagScheme::ALL[..6]),
    ) {
        let mut written: Vec<Vec<String>> = all.iter().map(|tags| from_iob2(tags, scheme).unwrap()).collect();
        let found = recognize(written.iter().map(Vec::as_slice));
        for tags in &mut written {
            prop_assert_eq!(to_iob2(found, tags), Ok(0));
        }
        prop_assert_eq!(written, all);
    }
}
