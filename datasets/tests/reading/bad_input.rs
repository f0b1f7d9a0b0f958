//! Bad input stops the reading with file, line and reason, or is skipped, counted and listed.

use std::fs;
use std::path::Path;

use datasets::Place;
use datasets::read::{Dataset, Example, Format, OnBadLine, ReadOptions, parse, read, write};

fn options(on_bad_line: OnBadLine) -> ReadOptions {
    ReadOptions { on_bad_line, ..ReadOptions::default() }
}

fn parsed(bytes: &[u8], format: Format, on_bad_line: OnBadLine) -> datasets::Result<Dataset> {
    parse(bytes, Path::new("data"), format, &options(on_bad_line))
}

/// The bad sentence of three is named when it fails; skipped, it leaves the two others.
#[track_caller]
fn one_of_three_is_bad(bytes: impl AsRef<[u8]>, format: Format, place: Place, reason: &str) {
    let error = parsed(bytes.as_ref(), format, OnBadLine::Fail).unwrap_err().to_string();
    assert!(error.starts_with(&format!("data:{place}: ")), "{error}");
    assert!(error.contains(reason), "{error}");
    let dataset = parsed(bytes.as_ref(), format, OnBadLine::Skip).unwrap();
    assert_eq!(dataset.examples.len(), 2);
    let [skipped] = dataset.skipped.as_slice() else {
        panic!("{:?}", dataset.skipped);
    };
    assert_eq!(skipped.place, place);
    assert!(skipped.reason.contains(reason), "{}", skipped.reason);
}

#[test]
fn bio_lines() {
    let around = |bad: &str| format!("a O\nb B-x\n\nc O\n{bad}\nd O\n\ne O\n");
    let bad = |line: &str, reason| one_of_three_is_bad(around(line), Format::Bio, Place::Line(5), reason);
    bad("word", "1 columns where the other lines have 2");
    bad("two words O", "3 columns");
    bad("word PER", "malformed tag \"PER\"");
    bad("word B-", "malformed tag \"B-\"");
    bad("\tO", "empty token");
    let mut bytes = around("word\tO").into_bytes();
    let at = bytes.windows(4).position(|window| window == b"word").unwrap();
    bytes[at] = 0xff;
    one_of_three_is_bad(bytes, Format::Bio, Place::Line(5), "invalid UTF-8 after byte 0");
}

#[test]
fn mtod_lines() {
    let line = |slots: &str, tokens: &str| format!("i\t{slots}\tto rome\td\txx\t{tokens}\n");
    let tokens = r#"{"tokens":["to","rome"],"tokenSpans":[{"start":0,"length":2},{"start":3,"length":4}]}"#;
    let good = line("3:7:city", tokens);
    let bad = |line: String, reason| {
        let bytes = format!("{good}{line}\n{good}");
        one_of_three_is_bad(bytes, Format::Mtod, Place::Line(2), reason);
    };
    bad(line("3:6:city", tokens), "slot `3:6:city` does not begin and end with a token");
    bad(line("0:7:a,3:7:b", tokens), "slot `3:7:b` overlaps another");
    bad(line("rome", tokens), "slot `rome`: expected `start:end:name`");
    bad(line("3:7:city", "{"), "token column is not");
    bad(line("3:7:city", &tokens.replace("\"to\",", "")), "1 tokens but 2 token spans");
    bad(line("3:7:city", &tokens.replace("\"start\":3", "\"start\":1")), "token span 2");
    bad(line("3:7:city", &tokens.replace("\"length\":4", "\"length\":18446744073709551615")), "token span 2");
    bad(line("3:7:city name", tokens), "malformed tag");
    bad("i\t3:7:city\tto rome\n".to_owned(), "3 tab-separated columns, expected 6");
}

#[test]
fn json_lines() {
    let good = r#"{"tokens":["to","rome"],"tags":["O","B-city"]}"#;
    let bad = |line: &str, reason| {
        one_of_three_is_bad(format!("{good}\n\n{line}\n{good}"), Format::Jsonl, Place::Line(3), reason);
    };
    bad(r#"{"tokens":["to"],"tags":["O","B-city"]}"#, "1 tokens but 2 tags");
    bad(r#"{"tokens":["to"],"tags":["o"]}"#, "malformed tag \"o\"");
    bad(r#"{"tokens":[" "],"tags":["O"]}"#, "empty token");
    bad(r#"{"tokens":[],"tags":[]}"#, "a sentence without tokens");
    bad(r#"{"tokens":["to"]}"#, "column `tags`: an empty cell");
    bad(r#"{"tokens":["to"],"tags":null}"#, "column `tags`: an empty cell");
    bad(r#"{"tokens":["to"],"tags":[null]}"#, "an item of the list is no text");
    bad(r#"{"tokens":["pi",3.10],"tags":["O","O"]}"#, "column `tokens`: an item of the list is no text but a number");
    bad(r#"{"tokens":["is",true],"tags":["O","O"]}"#, "no text but true or false");
    bad(r#"{"tokens":["a",{"b":"c"}],"tags":["O","O"]}"#, "no text but an object");
    bad(r#"{"tokens":["a",["b"]],"tags":["O","O"]}"#, "no text but a list");
    bad(r#"{"tokens":5,"tags":["O"]}"#, "column `tokens`: not text but a number");
    bad(r#"{"tokens":["a"],"tags":[3]}"#, "name them in their order as tag_names");
    bad(r#"{"tokens":["x"],"tokens":["y"],"tags":["O"]}"#, "column `tokens`: the object has this key twice");
    bad(r#"{"tokens":["to"]"#, "not a JSON object");
    bad(r#"["to"]"#, "not a JSON object");
}

#[test]
fn csv_rows() {
    let bad = |row: &str, reason| {
        let bytes = format!("tokens,tags\nto rome,O B-city\n{row}\nto rome,O B-city\n");
        one_of_three_is_bad(bytes, Format::Csv, Place::Line(3), reason);
    };
    bad("to rome,O", "2 tokens but 1 tags");
    bad("to,", "column `tags`: an empty cell");
    bad("to,B", "malformed tag \"B\"");
    bad("to,rome,O B-city", "3 cells separated by commas where the first row has 2");
    bad("to", "1 cells separated by commas where the first row has 2");
    bad("\"to\"rome,O B-city", "text after the closing quote");
    bad("\"to rome,O B-city", "a quote that is never closed");
}

#[test]
fn seq_lines_and_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let written = |tokens: &str, tags: &str, on_bad_line| {
        fs::write(folder.path().join("seq.in"), tokens).unwrap();
        fs::write(folder.path().join("seq.out"), tags).unwrap();
        read(folder.path(), &options(on_bad_line))
    };
    let error = written("a b\nc\n", "O O\nO O\n", OnBadLine::Fail).unwrap_err().to_string();
    assert!(error.contains("seq.in:2: 1 tokens but 2 tags"), "{error}");
    assert_eq!(written("a b\nc\n", "O O\nO O\n", OnBadLine::Skip).unwrap().skipped.len(), 1);
    let error = written("a\n\nb\n", "O\n\nO\n", OnBadLine::Fail).unwrap_err().to_string();
    assert!(error.contains("seq.in:2: a sentence without tokens"), "{error}");
    let error = written("a\nb\n", "O\n", OnBadLine::Skip).unwrap_err().to_string();
    assert!(error.contains("`seq.in` has 2 lines and `seq.out` 1"), "{error}");
}

#[test]
fn a_missing_column_is_named_with_the_columns_that_exist() {
    let message = |bytes: &[u8], format| parsed(bytes, format, OnBadLine::Skip).unwrap_err().to_string();
    let error = message(b"{\"token\": [\"a\"], \"tags\": [\"O\"]}", Format::Jsonl);
    assert_eq!(
        error,
        "data: no column `tokens`, `words`, `text`; the columns are `token`, `tags`; did you mean `token`?"
    );
    assert_eq!(
        message(b"token,tags\na,O\n", Format::Csv),
        "data: no column `tokens`, `words`, `text`; the columns are `token`, `tags`; did you mean `token`?"
    );
    let error = message(b"{\"tokens\": [\"a\"], \"label\": [\"O\"]}", Format::Jsonl);
    assert!(error.contains("did you mean `label`?"), "{error}");
}

#[cfg(feature = "tables")]
#[test]
fn a_column_of_numbers_is_named_with_its_type() {
    use polars::prelude::{Column, DataFrame};
    let tokens = Column::new("tokens".into(), ["a"]);
    let numbers = Column::new("ner_tags".into(), [3_i64]);
    let frame = DataFrame::new(1, vec![tokens, numbers]).unwrap();
    let error = Dataset::from_dataframe(&frame, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("column `ner_tags` holds i64; expected text"), "{error}");
}

#[test]
fn an_empty_split_is_an_error() {
    let is_empty = |bytes: &[u8], format: Format| {
        let error = parsed(bytes, format, OnBadLine::Skip).unwrap_err().to_string();
        assert_eq!(error, "data: no sentences in it", "{format}");
    };
    for format in [Format::Bio, Format::Mtod, Format::Mtop, Format::Jsonl] {
        is_empty(b"\n \n", format);
    }
    is_empty(b"\n \n", Format::Csv);
    is_empty(b"tokens,tags\n", Format::Csv);
    is_empty(b"[]", Format::Json);
    let error = parsed(b"a b\n", Format::Bio, OnBadLine::Skip).unwrap_err().to_string();
    assert!(error.contains("no good sentence in it; 1 skipped, the first at 1"), "{error}");
}

#[cfg(not(feature = "tables"))]
#[test]
fn a_build_without_tables_says_so() {
    let dataset = Dataset::from_examples(vec![Example::new(["a"], ["O"])]);
    let reading = parsed(b"PAR1", Format::Parquet, OnBadLine::Fail).unwrap_err().to_string();
    let writing = write(&dataset, "data", Format::Parquet).unwrap_err().to_string();
    for error in [reading, writing] {
        assert!(error.contains("built without tables") && error.contains("feature `tables`"), "{error}");
        assert!(error.starts_with("data: ") && error.contains("`parquet`"), "{error}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let error = read("no/such/file.bio", &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/file.bio: "), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("a folder without `seq.in`"), "{error}");
}

#[test]
fn a_token_that_a_format_cannot_hold_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let message = |token: &str, format| {
        let dataset = Dataset::from_examples(vec![Example::new([token], ["O"])]);
        write(&dataset, &path, format).unwrap_err().to_string()
    };
    for token in ["a\tb", "a\nb", " a", "-DOCSTART-", "\u{feff}a"] {
        assert!(message(token, Format::Bio).contains(&format!("{token:?}")));
    }
    assert!(message("a b", Format::Seq).contains("write `jsonl`"));
    assert!(message("", Format::Jsonl).contains("sentence 1: empty token"));
    assert!(message("a", Format::Mtod).contains("`mtod` needs utterances"));
    assert!(!path.exists());
}
