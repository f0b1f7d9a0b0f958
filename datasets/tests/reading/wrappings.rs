//! Other tools write the same sentences in other ways: numbered columns, other schemes, compression, encodings, types.

use std::fs;
use std::path::Path;

use datasets::labels::TagScheme;
use datasets::read::{Dataset, Example, Format, OnBadLine, ReadOptions, parse, read, write, write_as};

#[cfg(feature = "tables")]
use crate::fixture;

fn parsed(text: &str, format: Format, options: &ReadOptions) -> datasets::Result<Dataset> {
    parse(text.as_bytes(), Path::new("data"), format, options)
}

/// Each sentence as `token/tag` pairs.
fn pairs(dataset: &Dataset) -> Vec<String> {
    let sentence = |tokens: &[String], tags: &[String]| {
        let pairs = tokens.iter().zip(tags).map(|(token, tag)| format!("{token}/{tag}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    dataset.examples.iter().map(|example| sentence(&example.tokens, &example.tags)).collect()
}

#[track_caller]
fn reads(text: &str, format: Format, expected: &[&str]) {
    assert_eq!(pairs(&parsed(text, format, &ReadOptions::default()).unwrap()), expected);
}

#[test]
fn columns_of_germeval_and_conll_u() {
    let germeval = "#\tsource\t[2001]\n1\tBonn\tB-x\tB-y\n2\tund\tO\tO\n\n#\tsource\n1\tKiel\tB-y\tO\n";
    reads(germeval, Format::Bio, &["Bonn/B-x und/O", "Kiel/B-y"]);
    let conll_u = "# sent_id = O\n1\tde\tADP\tO\n2-3\tdu\t_\tO\n2\tde\tADP\tB-x\n3\tle\tDET\tI-x\n8.1\tx\t_\t_\n";
    reads(conll_u, Format::Bio, &["de/O de/B-x le/I-x"]);
}

#[test]
fn a_scheme_is_recognized_over_the_whole_file_and_said() {
    let text = "a B-x\nb E-x\nc O\n\nd S-x\n";
    reads(text, Format::Bio, &["a/B-x b/I-x c/O", "d/B-x"]);
    let decided = parsed(text, Format::Bio, &ReadOptions::default()).unwrap().origin.unwrap().decided;
    assert_eq!((decided.tags.scheme, decided.tags.spans, decided.notable), (TagScheme::Bioes, 2, true));
    reads("{\"tokens\": \"a b c\", \"tags\": \"x x O\"}", Format::Jsonl, &["a/B-x b/I-x c/O"]);
    let iob1 = ReadOptions { scheme: Some(TagScheme::Iob1), ..ReadOptions::default() };
    assert_eq!(pairs(&parsed("a I-x\nb B-x\nc B-y\n", Format::Bio, &iob1).unwrap()), ["a/B-x b/B-x c/B-y"]);
}

#[test]
fn a_tag_of_another_scheme_is_named_by_its_own_line() {
    let text = "a S-x\n# comment\nb B-x\nc E-x\n\nd S-x\n# comment\ne L-x\nf S-x\n\ng S-x\n";
    let error = parsed(text, Format::Bio, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("data:8: malformed tag \"L-x\"") && error.contains("bioes"), "{error}");
    let skip = ReadOptions { on_bad_line: OnBadLine::Skip, ..ReadOptions::default() };
    let dataset = parsed(text, Format::Bio, &skip).unwrap();
    assert_eq!((dataset.examples.len(), dataset.skipped.len()), (2, 1));
}

#[test]
fn tables_of_text_in_other_notations() {
    reads("id;tokens;tags\n1;to rome;O B-x\n", Format::Csv, &["to/O rome/B-x"]);
    reads("tokens\ttags\nto rome\tO B-x\n", Format::Csv, &["to/O rome/B-x"]);
    reads("\u{feff}tokens,tags\n\"['to', 'rome']\",\"['O' 'B-x']\"\n", Format::Csv, &["to/O rome/B-x"]);
    reads(
        "[{\"tokens\": [\"to\"], \"tags\": [\"O\"]},\n{\"tags\": \"B-x\", \"tokens\": \"rome\"}]",
        Format::Json,
        &["to/O", "rome/B-x"],
    );
    reads("{\"data\": [{\"tokens\": [\"to\"], \"tags\": [\"O\"]}], \"version\": 1}", Format::Json, &["to/O"]);
    let numbered = ReadOptions {
        tokens_column: Some("2".to_owned()),
        tags_column: Some("3".to_owned()),
        tag_names: Some(["O", "B-x"].map(str::to_owned).to_vec()),
        ..ReadOptions::default()
    };
    assert_eq!(pairs(&parsed("a,b,c\n1,to rome,\"[0, 1]\"\n", Format::Csv, &numbered).unwrap()), ["to/O rome/B-x"]);
    assert_eq!(pairs(&parsed("1 to 0\n2 rome 1\n", Format::Bio, &numbered).unwrap()), ["to/O rome/B-x"]);
}

#[test]
fn a_bad_item_of_a_json_array_is_one_bad_sentence() {
    let text = "[\n{\"tokens\": [\"a\"], \"tags\": [\"O\"]},\n{\"tokens\": [1], \"tags\": [\"O\"]},\n7,\n{\"tokens\": [\"b\"], \"tags\": [\"O\"]}]";
    let skip = ReadOptions { on_bad_line: OnBadLine::Skip, ..ReadOptions::default() };
    let dataset = parsed(text, Format::Json, &skip).unwrap();
    let lines: Vec<usize> = dataset.skipped.iter().map(|skipped| skipped.place.number()).collect();
    assert_eq!((dataset.examples.len(), lines), (2, vec![3, 4]));
    let error = parsed("[\n{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n", Format::Json, &skip).unwrap_err().to_string();
    assert!(error.starts_with("data:"), "{error}");
}

#[test]
fn nothing_after_a_json_array_is_lost() {
    let one = r#"{"tokens": ["a"], "tags": ["O"]}"#;
    let read = |text: String| parsed(&text, Format::Json, &ReadOptions::default()).map_err(|error| error.to_string());
    for good in [format!("[{one}]\n "), format!("{{\"data\": [{one}], \"version\": {{\"a\": [1]}}}}")] {
        assert_eq!(pairs(&read(good).unwrap()), ["a/O"]);
    }
    let refused = [
        (format!("[{one}][{one}]"), "there is more after the array"),
        (format!("[{one}]\nmore"), "there is more after the array"),
        (format!("[{one},]"), "not JSON"),
        (format!("{{\"data\": [{one}]"), "not JSON"),
        (format!("{{\"data\": [{one}], \"data\": []}}"), "`data` twice"),
    ];
    for (text, reason) in refused {
        let error = read(text).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn what_would_be_read_as_another_kind_of_file_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let lfs = "version https://git-lfs.github.com/spec/v1";
    for (token, format, refused) in
        [("a\0b\0", Format::Bio, false), ("\0a\0b\0", Format::Seq, true), (lfs, Format::Bio, true)]
    {
        let dataset = Dataset::from_examples(vec![Example::new([token], ["O"])]);
        let path = folder.path().join(format!("{refused}.{format}"));
        match write(&dataset, &path, format) {
            Err(error) => assert!(refused && error.to_string().contains("write `jsonl`") && !path.exists(), "{error}"),
            Ok(()) => assert!(!refused),
        }
        if !refused {
            let again = read(&path, &ReadOptions { format: Some(format), ..ReadOptions::default() }).unwrap();
            assert_eq!(again.examples[0].tokens, [token]);
        }
        let path = folder.path().join("a.jsonl");
        write(&dataset, &path, Format::Jsonl).unwrap();
        assert_eq!(read(&path, &ReadOptions::default()).unwrap().examples[0].tokens, [token]);
    }
    // Without `B-` the words that are tags would be taken for the tags.
    let dataset = Dataset::from_examples(vec![Example::new(["O", "O"], ["B-x", "O"])]);
    let error = write_as(&dataset, folder.path().join("b.bio"), Format::Bio, TagScheme::Bare).unwrap_err().to_string();
    assert!(error.contains("cannot be told apart"), "{error}");
    write(&dataset, folder.path().join("b.bio"), Format::Bio).unwrap();
}

#[test]
fn a_column_that_is_not_clear_is_refused() {
    let named = |column: &str| ReadOptions {
        tokens_column: Some(column.to_owned()),
        tags_column: Some(column.to_owned()),
        ..ReadOptions::default()
    };
    let error = |text, format, options: &ReadOptions| parsed(text, format, options).unwrap_err().to_string();
    let plain = ReadOptions::default();
    assert!(error("tokens,tags,tags\na,O,O\n", Format::Csv, &plain).contains("two columns are called `tags`"));
    assert!(error("tokens,tags\na,O\n", Format::Csv, &named("tags")).contains("both tokens and tags"));
    assert!(error("a O\nb O\n", Format::Bio, &named("2")).contains("the same column"));
}

/// What is said about a file, and whether it is said without being asked.
fn said(text: &str, format: Format) -> (String, bool) {
    let decided = parsed(text, format, &ReadOptions::default()).unwrap().origin.unwrap().decided;
    (decided.to_string(), decided.notable)
}

#[test]
fn lines_of_an_old_mac_are_lines() {
    for text in ["to\tO\rrome\tB-x\r\rnow\tO\r", "to\tO\rrome\tB-x\r\rnow\tO\r\n", "to\tO\rrome\tB-x\r\rnow\tO\n"] {
        reads(text, Format::Bio, &["to/O rome/B-x", "now/O"]);
    }
    reads("tokens,tags\rto rome,O B-x\rnow,O\n", Format::Csv, &["to/O rome/B-x", "now/O"]);
    let (line, notable) = said("to\tO\rrome\tB-x\n", Format::Bio);
    assert!(notable && line.contains("line ends \\r, some \\n"), "{line}");
    let (line, notable) = said("to rome\r\tO\nnow\tO\n", Format::Bio);
    assert!(notable && line.contains("1 \\r inside of lines"), "{line}");
}

#[test]
fn tags_in_another_notation_become_usual_and_are_said() {
    let expected = ["to/O New/B-x York/I-x", "now/B-day"];
    for tags in ["o b-x i-x b-day", "O B_x I_x B_day", "O x-B x-I day-B", "O B:x I:x B:day", "O B/x I/x B/day"] {
        let tags: Vec<&str> = tags.split(' ').collect();
        let text = format!("to {}\nNew {}\nYork {}\n\nnow {}\n", tags[0], tags[1], tags[2], tags[3]);
        reads(&text, Format::Bio, &expected);
        let (line, notable) = said(&text, Format::Bio);
        assert!(notable && line.contains("are read as B-TYPE"), "{line}");
    }
    let (line, notable) = said("to O\nNew B_x\nYork b-x\n", Format::Bio);
    assert!(notable && line.contains("2 tags look like B-TYPE in another notation"), "{line}");
    let error = parsed("to O\nNew B_x\nYork B-x\n", Format::Bio, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("data:2: malformed tag \"B_x\""), "{error}");
    // The scheme bare, if it is given, has types of any look.
    let bare = ReadOptions { scheme: Some(TagScheme::Bare), ..ReadOptions::default() };
    assert_eq!(pairs(&parsed("New B_x\nYork B_x\n", Format::Bio, &bare).unwrap()), ["New/B-B_x York/I-B_x"]);
}

#[test]
fn a_line_of_names_is_no_sentence_and_comes_once() {
    let rows = "token tag\nto O\nrome city\n\nOslo city\n";
    reads(rows, Format::Bio, &["to/O rome/B-city", "Oslo/B-city"]);
    let error = parsed(&format!("{rows}\n{rows}"), Format::Bio, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("data:7: this line names the columns again"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    // A sentence that looks like such a line is not written where it would be lost.
    let dataset = Dataset::from_examples(vec![Example::new(["word", "a", "b"], ["B-label", "O", "B-x"])]);
    let path = folder.path().join("a.bio");
    let error = write_as(&dataset, &path, Format::Bio, TagScheme::Bare).unwrap_err().to_string();
    assert!(error.contains("names of columns") && error.contains("write `jsonl`") && !path.exists(), "{error}");
    write(&dataset, &path, Format::Bio).unwrap();
    assert_eq!(pairs(&read(&path, &ReadOptions::default()).unwrap()), pairs(&dataset));
}

#[test]
fn a_list_that_cannot_be_read_is_named_with_its_line_and_column() {
    let text = "tokens,tags\n\"('to', 'rome')\",O B-x\n\"['to', rome]\",O B-x\n";
    let error = parsed(text, Format::Csv, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("data:3: column `tokens`: a list that cannot be read"), "{error}");
}

#[test]
fn what_json_does_not_have_matters_only_where_it_is_needed() {
    let bad = r#""x": NaN, "y": [-Infinity, 1e999], "\ud800": "\udc00""#;
    let good = r#""tokens": ["to", "rome"], "tags": ["O", "B-x"]"#;
    let expected = ["to/O rome/B-x", "to/O rome/B-x"];
    reads(&format!("{{{bad}, {good}}}\n{{{good}, {bad}}}\n"), Format::Jsonl, &expected);
    reads(&format!("[{{{bad}, {good}}},\n{{{good}, {bad}}}]"), Format::Json, &expected);
    reads(&format!("{{{bad}, \"data\": [{{{bad}, {good}}}, {{{good}}}], {bad}}}"), Format::Json, &expected);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    reads(&format!("{{\"deep\": {deep}, {good}}}\n{{{good}}}"), Format::Jsonl, &expected);
    for (line, reason) in [
        (r#"{"tokens": ["to", NaN], "tags": ["O", "O"]}"#, "column `tokens`: not JSON"),
        (r#"{"tokens": ["\ud800"], "tags": ["O"]}"#, "column `tokens`: not JSON"),
        (r#"{"x": NaN "tokens": ["to"], "tags": ["O"]}"#, "not a JSON object"),
        (r#"{"x": NaN, "tokens": ["to"], "tags": ["O"]} more"#, "not a JSON object"),
    ] {
        let error = parsed(line, Format::Jsonl, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("data:1: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn an_array_in_a_file_of_json_lines_is_read_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "[{\"tokens\": [\"a\"], \"tags\": [\"O\"]},\n {\"tokens\": [\"b\"], \"tags\": [\"O\"]}]\n")
        .unwrap();
    let dataset = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(pairs(&dataset), ["a/O", "b/O"]);
    let origin = dataset.origin.unwrap();
    assert!(origin.format == Format::Json && origin.decided.notable);
}

#[test]
fn excel_names_its_separator() {
    reads("sep=;\nTokens;Tags\nto, rome;O B-x\n", Format::Csv, &["to,/O rome/B-x"]);
    let error = parsed("sep=;\ntokens;tags\na;O;O\n", Format::Csv, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("data:3: "), "{error}");
}

#[test]
fn web_pages_are_called_that() {
    for format in [Format::Bio, Format::Csv, Format::Jsonl, Format::Json, Format::Mtod] {
        let error =
            parsed("\u{feff}\n<!DOCTYPE html>\n<p> O\n", format, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("data: a web page, not the file itself"), "{error}");
    }
}

#[test]
fn a_file_is_compressed_if_its_name_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Dataset::from_examples(vec![Example::new(["to", "rome"], ["O", "B-x"]); 3]);
    for (ending, magic) in [("gz", [0x1f, 0x8b]), ("zst", [0x28, 0xb5])] {
        for format in [Format::Bio, Format::Csv, Format::Jsonl, Format::Json] {
            let path = folder.path().join(format!("a.{format}.{ending}"));
            write(&dataset, &path, format).unwrap();
            assert!(fs::read(&path).unwrap().starts_with(&magic), "{}", path.display());
            let again = read(&path, &ReadOptions::default()).unwrap();
            assert_eq!((pairs(&again), again.origin.unwrap().format), (pairs(&dataset), format));
        }
        #[cfg(feature = "tables")]
        {
            let path = folder.path().join(format!("a.parquet.{ending}"));
            let error = write(&dataset, &path, Format::Parquet).unwrap_err().to_string();
            assert!(error.contains("its own compression") && !path.exists(), "{error}");
        }
    }
}

#[test]
fn files_may_be_compressed_and_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.csv");
    fs::write(&path, b"tokens,tags\ncaf\xe9,O\n").unwrap();
    let error = read(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("train.csv:2: ") && error.contains("name it as encoding"), "{error}");
    let latin = ReadOptions { encoding: Some("windows-1252".parse().unwrap()), ..ReadOptions::default() };
    assert_eq!(pairs(&read(&path, &latin).unwrap()), ["café/O"]);
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    assert!(read(&path, &latin).unwrap_err().to_string().contains("Git LFS pointer"));
}

#[cfg(feature = "tables")]
#[test]
fn parquet_reads_only_its_two_columns() {
    let dataset = read(fixture("other_columns.parquet"), &ReadOptions::default()).unwrap();
    assert_eq!(pairs(&dataset), ["a/O b/B-x", "c/B-x"]);
}

#[cfg(feature = "tables")]
#[test]
fn a_page_of_parquet_may_not_claim_more_than_its_file_holds() {
    let mut bytes = fs::read(fixture("other_columns.parquet")).unwrap();
    // The header of a page: its type, two sizes, and the header of that type.
    let begins = |part: &[u8]| matches!(part, [0x15, 0 | 4, 0x15, _, 0x15, _, 0x2c | 0x4c]);
    let headers: Vec<usize> = (0..bytes.len() - 7).filter(|at| begins(&bytes[*at..*at + 7])).collect();
    assert!(headers.len() > 4, "{headers:?}");
    for at in headers {
        // An unknown field that is a string of 2 GB.
        bytes[at..at + 6].copy_from_slice(&[0xf8, 0xff, 0xff, 0xff, 0xff, 0x07]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.parquet");
    fs::write(&path, bytes).unwrap();
    let error = read(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("message too long"), "{error}");
}

#[cfg(feature = "tables")]
#[test]
fn parquet_of_hugging_face_names_its_tags() {
    let dataset = read(fixture("class_names.parquet"), &ReadOptions::default()).unwrap();
    assert_eq!(pairs(&dataset), ["a/O b/B-PER", "c/B-PER"]);
    let given = ReadOptions { tag_names: Some(vec!["O".to_owned()]), ..ReadOptions::default() };
    let error = read(fixture("class_names.parquet"), &given).unwrap_err().to_string();
    assert!(error.contains("row 1: tag 1 has no name: there are 1 names"), "{error}");
}
