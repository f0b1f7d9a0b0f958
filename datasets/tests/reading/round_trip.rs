//! Any text that was written is read back unchanged, and no bytes make a reader panic.

use std::path::Path;

use datasets::labels::TagScheme;
use datasets::read::{Dataset, Example, Format, OnBadLine, ReadOptions, changed_by, parse, read, write, write_as};
use proptest::prelude::*;

/// A token of any characters that `keeps` allows, not blank.
fn token(keeps: fn(&str) -> bool) -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec!["O", "B-x", "I-x", "#", "[", "\"", ",", "''", "{", "é", "日本"]);
    prop_oneof![
        odd.prop_map(str::to_owned),
        "\\PC{1,6}",
        prop::collection::vec(any::<char>(), 1..6).prop_map(String::from_iter),
    ]
    .prop_filter("blank", |token| !token.trim().is_empty())
    .prop_filter("the format cannot hold it", move |token| keeps(token))
}

fn dataset(keeps: fn(&str) -> bool) -> impl Strategy<Value = Dataset> {
    let tag = prop_oneof![Just("O".to_owned()), "[BI]-[a-zé./_-]{1,6}"];
    let sentence = prop::collection::vec((token(keeps), tag), 1..6)
        .prop_map(|pairs| pairs.into_iter().unzip())
        .prop_map(|(tokens, tags): (Vec<String>, Vec<String>)| Example::new(tokens, tags));
    prop::collection::vec(sentence, 1..6).prop_map(Dataset::from_examples)
}

fn sentences(dataset: &Dataset) -> Vec<(&[String], &[String])> {
    let examples = dataset.examples.iter();
    examples.map(|example| (example.tokens.as_slice(), example.tags.as_slice())).collect()
}

fn comes_back(dataset: &Dataset, format: Format) -> Result<(), TestCaseError> {
    let failed = |error: datasets::Error| TestCaseError::fail(error.to_string());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data");
    write(dataset, &path, format).map_err(failed)?;
    // The tags may look like another scheme, because they need not be well-formed.
    let iob2 = ReadOptions { format: Some(format), scheme: Some(TagScheme::Iob2), ..ReadOptions::default() };
    let back = read(&path, &iob2).map_err(failed)?;
    prop_assert_eq!(sentences(&back), sentences(dataset));
    let recognized = ReadOptions { scheme: None, ..iob2 };
    let back = read(&path, &recognized).map_err(failed)?;
    let pairs = back.examples.iter().zip(&dataset.examples);
    let changed = pairs.filter(|(back, example)| back.tags != example.tags).count();
    prop_assert_eq!(changed, changed_by(dataset, TagScheme::Iob2).map_err(failed)?);
    Ok(())
}

/// The sentences with every span begun by `B-`.
fn well_formed(mut dataset: Dataset) -> Dataset {
    for example in &mut dataset.examples {
        let mut before = None;
        for tag in &mut example.tags {
            if tag.starts_with("I-") && tag.get(2..).map(str::to_owned) != before {
                tag.replace_range(..1, "B");
            }
            before = tag.get(2..).map(str::to_owned);
        }
    }
    dataset
}

/// Written in `scheme`, well-formed tags are recognized and come back, or the token cannot be written.
fn comes_back_from(dataset: &Dataset, format: Format, scheme: TagScheme) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data");
    if let Err(error) = write_as(dataset, &path, format, scheme) {
        prop_assert!(error.to_string().contains("cannot be"), "{}", error);
        return Ok(());
    }
    let changed = changed_by(dataset, scheme).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(changed == 0 || matches!(scheme, TagScheme::Io | TagScheme::Bare));
    if changed == 0 {
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let back = read(&path, &options).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sentences(&back), sentences(dataset));
    }
    Ok(())
}

/// A list as Python or NumPy prints it, in a cell of CSV.
fn printed(words: &[String], notation: usize) -> String {
    let escaped = |letter: char| match letter {
        '\'' | '\\' => format!("\\{letter}"),
        letter if letter.is_control() => format!("\\U{:08x}", u32::from(letter)),
        letter => letter.to_string(),
    };
    let quoted = words.iter().map(|word| format!("'{}'", word.chars().map(escaped).collect::<String>()));
    let parted = quoted.collect::<Vec<_>>().join(if notation == 0 { " " } else { ", " });
    let list = match notation {
        0 | 1 => format!("[{parted}]"),
        2 => format!("({parted},)"),
        _ => format!("array([{parted}], dtype=object)"),
    };
    format!("\"{}\"", list.replace('"', "\"\""))
}

fn anything(_: &str) -> bool {
    true
}

fn one_word(token: &str) -> bool {
    !token.contains(char::is_whitespace) && !token.starts_with('\u{feff}')
}

fn one_line(token: &str) -> bool {
    !token.contains(['\t', '\r', '\n']) && token.trim() == token && !token.starts_with('\u{feff}')
}

/// Bytes that are similar to a corpus.
fn nearly(format: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let parts = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(vec![
            "O",
            "B-x",
            "\t",
            "\n",
            "\r\n",
            " ",
            ",",
            "\"",
            "[",
            "]",
            "{",
            "}",
            "#",
            ":",
            "0:1:x",
            "tokens",
            "tags",
            "{\"tokens\":[\"a\"],\"tokenSpans\":[{\"start\":0,\"length\":1}]}",
            "\u{feff}",
            "-DOCSTART-",
            "\"tokens\":",
            "\"tags\":",
            "null",
            "1e999",
            "NaN",
            "\"data\":",
            "sep=;\n",
            "\r",
            "T1",
            "token",
            "tag",
            "b_x",
            "('",
            "array(['",
            "\"\\ud800\"",
        ])
        .prop_map(|part| part.as_bytes().to_vec()),
    ];
    prop::collection::vec(parts, 0..24).prop_map(move |parts| [format.as_bytes(), &parts.concat()].concat())
}

/// Reading may fail, but it must not panic, and its sentences must keep the rules.
fn reads_or_fails(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    for on_bad_line in [OnBadLine::Fail, OnBadLine::Skip] {
        let options = ReadOptions { on_bad_line, ..ReadOptions::default() };
        if let Ok(dataset) = parse(bytes, Path::new("data"), format, &options) {
            prop_assert!(!dataset.examples.is_empty());
            prop_assert!(dataset.examples.iter().all(|example| example.tokens.len() == example.tags.len()));
            prop_assert!(dataset.skipped.is_empty() || on_bad_line == OnBadLine::Skip);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn bio(dataset in dataset(one_line)) {
        comes_back(&dataset, Format::Bio)?;
    }

    #[test]
    fn bio_with_the_line_ends_of_an_old_mac(dataset in dataset(one_line), last in prop::sample::select(vec!["", "\n", "\r\n"])) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("data");
        write(&dataset, &path, Format::Bio).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let text = std::fs::read_to_string(&path)?.replace('\n', "\r") + last;
        let iob2 = ReadOptions { scheme: Some(TagScheme::Iob2), ..ReadOptions::default() };
        let back = parse(text.as_bytes(), &path, Format::Bio, &iob2);
        let back = back.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sentences(&back), sentences(&dataset));
    }

    #[test]
    fn lists_of_python_in_csv(dataset in dataset(anything), notation in 0_usize..4) {
        let rows = dataset.examples.iter().map(|Example { tokens, tags, .. }| {
            format!("{},{}\n", printed(tokens, notation), printed(tags, notation))
        });
        let text = format!("tokens,tags\n{}", rows.collect::<String>());
        let iob2 = ReadOptions { scheme: Some(TagScheme::Iob2), ..ReadOptions::default() };
        let back = parse(text.as_bytes(), Path::new("data"), Format::Csv, &iob2);
        let back = back.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sentences(&back), sentences(&dataset));
    }

    #[test]
    fn compressed(
        dataset in dataset(one_line),
        format in prop::sample::select(vec![Format::Bio, Format::Csv, Format::Jsonl, Format::Json]),
        ending in prop::sample::select(vec!["gz", "zst"]),
    ) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(format!("data.{format}.{ending}"));
        write(&dataset, &path, format).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let iob2 = ReadOptions { scheme: Some(TagScheme::Iob2), ..ReadOptions::default() };
        let back = read(&path, &iob2).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sentences(&back), sentences(&dataset));
        let origin = back.origin.unwrap();
        prop_assert_eq!(origin.format, format);
        prop_assert!(origin.decided.text.unwrap().compression.is_some());
    }

    #[test]
    fn seq(dataset in dataset(one_word)) {
        comes_back(&dataset, Format::Seq)?;
    }

    #[test]
    fn every_scheme(
        dataset in dataset(one_line),
        format in prop::sample::select(vec![Format::Bio, Format::Csv, Format::Jsonl]),
        scheme in prop::sample::select(TagScheme::ALL.to_vec()),
    ) {
        comes_back_from(&well_formed(dataset), format, scheme)?;
    }

    #[test]
    fn json(dataset in dataset(anything)) {
        comes_back(&dataset, Format::Json)?;
    }

    #[test]
    fn csv(dataset in dataset(anything)) {
        comes_back(&dataset, Format::Csv)?;
    }

    #[test]
    fn jsonl(dataset in dataset(anything)) {
        comes_back(&dataset, Format::Jsonl)?;
    }

    #[cfg(feature = "tables")]
    #[test]
    fn parquet(dataset in dataset(anything)) {
        comes_back(&dataset, Format::Parquet)?;
    }

    #[cfg(feature = "tables")]
    #[test]
    fn data_frame(dataset in dataset(anything)) {
        let frame = dataset.to_dataframe().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let iob2 = ReadOptions { scheme: Some(TagScheme::Iob2), ..ReadOptions::default() };
        let back = Dataset::from_dataframe(&frame, &iob2)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sentences(&back), sentences(&dataset));
    }

    #[test]
    fn no_bytes_make_the_text_readers_panic(bytes in nearly("")) {
        for format in [Format::Bio, Format::Mtod, Format::Mtop] {
            reads_or_fails(&bytes, format)?;
        }
    }

    #[test]
    fn no_bytes_make_the_csv_reader_panic(bytes in prop_oneof![nearly(""), nearly("tokens,tags\n")]) {
        reads_or_fails(&bytes, Format::Csv)?;
    }

    #[test]
    fn no_bytes_make_the_json_reader_panic(bytes in prop_oneof![nearly(""), nearly("[{\"tokens\":")]) {
        reads_or_fails(&bytes, Format::Json)?;
    }

    #[test]
    fn no_bytes_make_unpacking_and_decoding_panic(
        start in prop::sample::select(vec![
            "\x1f\u{8b}", "(\u{b5}/\u{fd}", "\u{ff}\u{fe}", "\u{fe}\u{ff}", "a\0b\0",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let start: Vec<u8> = start.chars().map(|letter| letter as u8).collect();
        reads_or_fails(&[start, rest].concat(), Format::Bio)?;
    }

    #[test]
    fn no_bytes_make_the_json_lines_reader_panic(bytes in prop_oneof![nearly(""), nearly("{\"tokens\":")]) {
        reads_or_fails(&bytes, Format::Jsonl)?;
    }

    #[cfg(feature = "tables")]
    #[test]
    fn no_bytes_make_the_parquet_reader_panic(bytes in prop_oneof![nearly(""), nearly("PAR1")]) {
        reads_or_fails(&bytes, Format::Parquet)?;
    }

    #[cfg(feature = "tables")]
    #[test]
    fn a_damaged_parquet_file_does_not_make_the_reader_panic(
        at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("data.parquet");
        let dataset = Dataset::from_examples(vec![Example::new(["to", "rome"], ["O", "B-city"]); 3]);
        write(&dataset, &path, Format::Parquet).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut bytes = std::fs::read(&path)?;
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        reads_or_fails(&bytes, Format::Parquet)?;
    }
}
