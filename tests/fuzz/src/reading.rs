//! Checks for every reader of tagged corpora.

use std::path::Path;

use datasets::Example;
use datasets::labels::Tag;
use datasets::read::{Dataset, Format, OnBadLine, ReadOptions, parse, read, write};

use crate::limits::bounded;
use crate::scratch;

/// The options that the first byte of an input selects.
pub fn options(selector: u8) -> ReadOptions {
    let name = |bit: u8, name: &str| (selector & bit != 0).then(|| name.to_owned());
    ReadOptions {
        on_bad_line: if selector & 1 == 0 { OnBadLine::Fail } else { OnBadLine::Skip },
        tokens_column: name(2, "tokens"),
        tags_column: name(4, "tags"),
        ..ReadOptions::default()
    }
}

/// Reads `bytes` as `format`, and checks what comes of it.
pub fn check_bytes(bytes: &[u8], format: Format, options: &ReadOptions) {
    let path = Path::new("the-input");
    let read = bounded(bytes.len(), || parse(bytes, path, format, options).map_err(|error| error.to_string()));
    check(read, "the-input");
}

/// Reads the file or folder at `path`, of `bytes` bytes, and checks what comes of it.
pub fn check_path(path: &Path, bytes: usize, options: &ReadOptions) {
    let read = bounded(bytes, || read(path, options).map_err(|error| error.to_string()));
    check(read, &path.to_string_lossy());
}

/// An error names the file. A data set obeys the rules of sentences, and is the same after writing and reading it.
fn check(read: Result<Dataset, String>, name: &str) {
    let dataset = match read {
        Ok(dataset) => dataset,
        Err(message) => {
            assert!(message.contains(name), "{message:?} does not name {name}");
            return;
        }
    };
    assert!(!dataset.examples.is_empty() || !dataset.skipped.is_empty(), "nothing was read and nothing was said");
    for example in &dataset.examples {
        assert!(!example.tokens.is_empty() && example.tokens.len() == example.tags.len(), "{example:?}");
        for tag in &example.tags {
            assert!(Tag::parse(tag).is_ok_and(|parsed| parsed.to_string() == *tag), "{tag:?}");
        }
    }
    if !dataset.examples.is_empty() {
        comes_back(&dataset);
    }
}

fn comes_back(dataset: &Dataset) {
    let folder = scratch::folder();
    let formats = [Format::Bio, Format::Seq, Format::Jsonl];
    let tables = [Format::Csv, Format::Parquet].into_iter().filter(|_| cfg!(feature = "tables"));
    for format in formats.into_iter().chain(tables) {
        let path = folder.path().join(format!("again.{format}"));
        // These two cannot hold every token.
        let may_refuse = matches!(format, Format::Bio | Format::Seq);
        match write(dataset, &path, format) {
            Err(error) => assert!(may_refuse, "{format} cannot be written: {error}"),
            Ok(_) => {
                let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
                let again = datasets::read::read(&path, &options).unwrap_or_else(|error| panic!("{format}: {error}"));
                let sentences = |dataset: &Dataset| dataset.examples.iter().map(sentence).collect::<Vec<_>>();
                assert_eq!(sentences(&again), sentences(dataset), "{format}");
            }
        }
    }
}

fn sentence(example: &Example) -> (Vec<String>, Vec<String>) {
    (example.tokens.clone(), example.tags.clone())
}
