//! An invented corpus of two sentences in every format. All must be read the same.

use std::path::Path;

use datasets::read::{Format, ReadOptions, parse, read};

use crate::fixture;

const SENTENCES: [(&[&str], &[&str]); 2] =
    [(&["fly", "from", "São", "Paulo"], &["O", "O", "B-city", "I-city"]), (&["#", "7", "O"], &["O", "O", "B-day"])];

#[track_caller]
fn holds_the_corpus(name: &str, format: Format, lines: [usize; 2]) {
    let dataset = read(fixture(name), &ReadOptions::default()).unwrap();
    assert_eq!(dataset.examples.len(), 2);
    for ((example, (tokens, tags)), line) in dataset.examples.iter().zip(SENTENCES).zip(lines) {
        assert_eq!(example.tokens, tokens);
        assert_eq!(example.tags, tags);
        assert_eq!(example.line, Some(line));
    }
    assert!(dataset.skipped.is_empty());
    assert_eq!(dataset.origin.unwrap().format, format);
}

#[test]
fn two_column_bio_with_the_tag_first() {
    holds_the_corpus("mit.bio", Format::Bio, [1, 6]);
}

#[test]
fn conll_columns_with_comments_document_starts_and_windows_line_ends() {
    holds_the_corpus("conll.txt", Format::Bio, [4, 10]);
}

#[test]
fn a_folder_of_seq_in_and_seq_out_or_either_of_them() {
    for name in ["seq", "seq/seq.in", "seq/seq.out"] {
        holds_the_corpus(name, Format::Seq, [1, 2]);
    }
    let dataset = read(fixture("seq/seq.in"), &ReadOptions::default()).unwrap();
    assert_eq!(dataset.origin.unwrap().path, fixture("seq"));
}

#[test]
fn mtod_and_mtop_lines_with_spans_counted_in_characters() {
    holds_the_corpus("mtod.tsv", Format::Mtod, [1, 2]);
    holds_the_corpus("mtop.txt", Format::Mtop, [1, 2]);
}

#[test]
fn csv_cells_of_words_or_of_json_arrays() {
    holds_the_corpus("text.csv", Format::Csv, [2, 3]);
    holds_the_corpus("arrays.csv", Format::Csv, [2, 3]);
}

#[test]
fn json_lines_of_lists_or_of_text_with_any_other_keys() {
    holds_the_corpus("lists.jsonl", Format::Jsonl, [1, 3]);
    holds_the_corpus("text.jsonl", Format::Jsonl, [1, 2]);
}

#[test]
fn json_lines_may_differ_in_how_they_hold_words() {
    let bytes = b"{\"tokens\": [\"gate\", \"7\"], \"tags\": \"O B-gate\"}\n{\"tokens\": \"at 7\", \"tags\": [\"O\", \"B-time\"]}";
    let dataset = parse(bytes, Path::new("data"), Format::Jsonl, &ReadOptions::default()).unwrap();
    let tokens: Vec<_> = dataset.examples.iter().map(|example| example.tokens.join(" ")).collect();
    assert_eq!(tokens, ["gate 7", "at 7"]);
}

#[test]
fn a_given_format_and_given_columns_are_used() {
    let options = ReadOptions {
        format: Some(Format::Csv),
        tokens_column: Some("text".to_owned()),
        tags_column: Some("labels".to_owned()),
        ..ReadOptions::default()
    };
    assert_eq!(read(fixture("text.csv"), &options).unwrap().examples.len(), 2);
    let wrong = ReadOptions { format: Some(Format::Mtod), ..ReadOptions::default() };
    let error = read(fixture("mtop.txt"), &wrong).unwrap_err().to_string();
    assert!(error.contains("mtop.txt:1: 8 tab-separated columns, expected 6"), "{error}");
}
