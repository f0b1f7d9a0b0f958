//! What words are.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init, reason = "tests; lists of ranges")]

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::{Splitter, WordSplitter, WordsConfig, sentences};

fn splitter(splitter: Splitter) -> WordSplitter {
    WordSplitter::new(&WordsConfig { splitter, ..WordsConfig::default() }).unwrap()
}

fn pattern(pattern: &str) -> Result<WordSplitter, crate::Error> {
    let config =
        WordsConfig { splitter: Splitter::Pattern, pattern: Some(pattern.to_owned()), ..WordsConfig::default() };
    WordSplitter::new(&config)
}

fn words<'t>(splitter: &WordSplitter, text: &'t str) -> Vec<&'t str> {
    splitter.split(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn white_space_separates_words_and_so_does_a_no_break_space() {
    let found = words(&splitter(Splitter::Whitespace), "  a b\u{a0}c\r\nd,\u{3000}e ");
    assert_eq!(found, ["a", "b", "c", "d,", "e"]);
}

#[test]
fn unicode_finds_punctuation_and_keeps_what_belongs_together() {
    let unicode = splitter(Splitter::Unicode);
    assert_eq!(
        words(&unicode, "Don't pay $3.50 (or 1,000)!"),
        ["Don't", "pay", "$", "3.50", "(", "or", "1,000", ")", "!"]
    );
    assert_eq!(
        words(&unicode, "well-known snake_case e.g. a…"),
        ["well", "-", "known", "snake_case", "e.g", ".", "a", "…"]
    );
    assert_eq!(words(&unicode, "שלום עולם, مرحبا"), ["שלום", "עולם", ",", "مرحبا"]);
    assert_eq!(words(&unicode, "cafe\u{301}s \u{301} a\u{308}\u{323}"), ["cafe\u{301}s", "\u{301}", "a\u{308}\u{323}"]);
}

#[test]
fn an_emoji_is_one_word() {
    for emoji in ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇳🇴", "1️⃣", "❤️"] {
        assert_eq!(words(&splitter(Splitter::Unicode), &format!("a{emoji}{emoji} b")).last(), Some(&"b"));
        assert_eq!(words(&splitter(Splitter::Unicode), emoji), [emoji]);
    }
    assert_eq!(words(&splitter(Splitter::Unicode), "🇳🇴🇸🇪"), ["🇳🇴", "🇸🇪"]);
}

#[test]
fn chinese_and_japanese_are_split_by_characters_and_korean_by_blanks() {
    let unicode = splitter(Splitter::Unicode);
    assert_eq!(words(&unicode, "我在北京2024年。"), ["我", "在", "北", "京", "2024", "年", "。"]);
    assert_eq!(words(&unicode, "東京タワーへ行く々"), ["東", "京", "タ", "ワ", "ー", "へ", "行", "く", "々"]);
    assert_eq!(words(&unicode, "ｶﾞｲﾄﾞ"), ["ｶﾞ", "ｲ", "ﾄﾞ"]);
    assert_eq!(
        words(&unicode, "葛\u{e0100}飾"),
        ["葛\u{e0100}", "飾"],
        "a variation selector stays with its character"
    );
    assert_eq!(words(&unicode, "서울에서 만나요."), ["서울에서", "만나요", "."]);
    assert_eq!(words(&unicode, "กินข้าว"), ["กิ", "น", "ข้", "า", "ว"], "Thai, without a dictionary");
}

#[test]
fn each_match_of_a_pattern_is_a_word() {
    assert_eq!(words(&pattern(r"\d+|[a-z]+").unwrap(), "ab12, Cd"), ["ab", "12", "d"]);
    assert_eq!(words(&pattern("x").unwrap(), "abc"), Vec::<&str>::new());
    assert_eq!(words(&pattern("x*").unwrap(), "axxb"), ["xx"], "an empty match is no word");
    assert_eq!(words(&pattern(".").unwrap(), "a b"), ["a", "b"], "neither is a blank");
}

#[test]
fn a_pattern_that_cannot_be_used_is_an_error_that_says_why() {
    let message = pattern("(a").unwrap_err().to_string();
    assert_eq!(message, "\"(a\" is no regular expression: unclosed group");
    let without = WordsConfig { splitter: Splitter::Pattern, ..WordsConfig::default() };
    assert!(WordSplitter::new(&without).unwrap_err().to_string().starts_with("missing; splitter = \"pattern\" needs"));
    let unused = WordsConfig { pattern: Some("a".to_owned()), ..WordsConfig::default() };
    assert!(WordSplitter::new(&unused).unwrap_err().to_string().contains("is not used"));
}

#[test]
fn lower_case_is_for_the_model() {
    let config = WordsConfig { lowercase: true, ..WordsConfig::default() };
    let lower = WordSplitter::new(&config).unwrap();
    assert_eq!(words(&lower, "New YORK"), ["New", "YORK"]);
    assert_eq!(["YORK", "ÉTÉ", "ΣΟΦΟΣ"].map(|word| lower.read(word).into_owned()), ["york", "été", "σοφος"]);
    assert_eq!(WordSplitter::default().read("YORK"), "YORK");
}

#[test]
fn a_line_end_ends_a_sentence() {
    let text = "Mr. Smith left. He came back.\nThen\r\n\r\nhe slept";
    let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(found, ["Mr. ", "Smith left. ", "He came back.\n", "Then\r\n", "\r\n", "he slept"]);
}

#[test]
fn a_full_stop_with_many_signs_after_it_takes_no_longer_than_other_text() {
    for (signs, sentence) in
        [(")", ".))))))))))))))))"), (" ", ".                "), ("\"'", ".\"'\"'\"'\"'\"'\"'\"'\"'")]
    {
        let text = format!("A{}{}b", sentence, signs.repeat(50_000));
        assert_eq!(sentences(&text)[0], 0..sentence.len() + 1);
        assert_eq!(sentences(&text).last().unwrap().end, text.len());
    }
    assert_eq!(sentences("A.      b"), [0..9], "a small letter goes on");
}

/// Text of all that makes words hard.
fn hard_text() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "a",
        "Zürich",
        "e\u{301}",
        "\u{301}",
        "\u{323}",
        " ",
        "  ",
        "\r\n",
        "\n",
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "\u{200d}",
        "👩‍👩‍👧",
        "👍🏽",
        "🇳🇴",
        "🇳",
        "1️⃣",
        "日本",
        "カタ",
        "ー",
        "ひ",
        "々",
        "ｶﾞ",
        "葛\u{e0100}",
        "한국",
        "กิน",
        "שָׁלוֹם",
        "مرحبا",
        "\u{600}",
        "\u{202e}",
        "'",
        ".",
        ",",
        "_",
        "-",
        "3.5",
        "क्षि",
        "\u{fe0f}",
        "\u{0}",
        "ǆ",
        "ß",
    ]);
    prop_oneof![prop::collection::vec(parts, 0..24).prop_map(|parts| parts.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn words_are_in_order_and_hold_all_but_white_space(text in hard_text()) {
        for splitter in [splitter(Splitter::Whitespace), splitter(Splitter::Unicode), pattern(r"\S").unwrap()] {
            let mut end = 0;
            for word in splitter.split(&text) {
                prop_assert!(word.start >= end && word.end > word.start);
                prop_assert!(text[end..word.start].trim().is_empty(), "{:?} is in no word", &text[end..word.start]);
                prop_assert!(!text[word.clone()].contains(char::is_whitespace));
                end = word.end;
            }
            prop_assert!(text[end..].trim().is_empty());
        }
    }

    #[test]
    fn unicode_cuts_no_cluster(text in hard_text()) {
        let clusters: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        let at_white_space = |at: usize| {
            text[..at].ends_with(char::is_whitespace) || text[at..].starts_with(char::is_whitespace)
        };
        for word in splitter(Splitter::Unicode).split(&text) {
            for edge in [word.start, word.end] {
                prop_assert!(clusters.binary_search(&edge).is_ok() || at_white_space(edge), "{text:?} is cut at {edge}");
            }
        }
    }

    #[test]
    fn sentences_are_the_whole_text(text in hard_text()) {
        let found = sentences(&text);
        prop_assert_eq!(found.iter().map(|range| &text[range.clone()]).collect::<String>(), text);
    }
}
