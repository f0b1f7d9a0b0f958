//! Checks for every reader of tagged corpora.

use std::path::Path;

use datasets::Example;
use datasets::labels::{Tag, TagScheme};
use datasets::read::{Dataset, Format, OnBadLine, ReadOptions, changed_by, parse, read, write_as};

use tempfile::TempDir;

use crate::limits::bounded;
use crate::scratch;

/// The options that the first two bytes of an input select.
pub fn options([selector, scheme]: [u8; 2]) -> ReadOptions {
    let column = |bit: u8, name: &str, number: &str| {
        let column = if selector & 16 == 0 { name } else { number };
        (selector & bit != 0).then(|| column.to_owned())
    };
    let encodings = ["utf-8", "windows-1252", "utf-16le", "shift_jis"];
    let encoding = encodings.get(usize::from(scheme >> 4)).map(|name| name.parse().expect("a known name"));
    ReadOptions {
        on_bad_line: if selector & 1 == 0 { OnBadLine::Fail } else { OnBadLine::Skip },
        tokens_column: column(2, "tokens", "1"),
        tags_column: column(4, "tags", "2"),
        scheme: TagScheme::ALL.get(usize::from(scheme & 15)).copied(),
        tag_names: (selector & 8 != 0).then(|| ["O", "B-x", "I-x", "B-y"].map(str::to_owned).to_vec()),
        encoding: encoding.filter(|_| selector & 32 != 0),
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

/// What is written is read again equal, in every format and scheme that can hold it.
fn comes_back(dataset: &Dataset) {
    let folder = scratch::folder();
    let formats = [Format::Bio, Format::Seq, Format::Jsonl, Format::Json, Format::Csv];
    for format in formats.into_iter().chain(cfg!(feature = "tables").then_some(Format::Parquet)) {
        round(dataset, &folder, format, TagScheme::Iob2);
    }
    for scheme in TagScheme::ALL {
        round(dataset, &folder, Format::Jsonl, scheme);
    }
}

fn round(dataset: &Dataset, folder: &TempDir, format: Format, scheme: TagScheme) {
    let path = folder.path().join(format!("again.{scheme}.{format}"));
    // These two cannot hold every token, and a type that looks like a letter of a scheme cannot be bare.
    let may_refuse = matches!(format, Format::Bio | Format::Seq) || scheme == TagScheme::Bare;
    if let Err(error) = write_as(dataset, &path, format, scheme) {
        return assert!(may_refuse, "{format} in {scheme} cannot be written: {error}");
    }
    // A scheme may be unable to tell two corpora apart, which the writer says.
    if changed_by(dataset, scheme).is_ok_and(|changed| changed == 0) {
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let again = read(&path, &options).unwrap_or_else(|error| panic!("{format}: {error}"));
        let sentences = |dataset: &Dataset| dataset.examples.iter().map(sentence).collect::<Vec<_>>();
        assert_eq!(sentences(&again), sentences(dataset), "{format} in {scheme}");
    }
}

fn sentence(example: &Example) -> (Vec<String>, Vec<String>) {
    (example.tokens.clone(), example.tags.clone())
}
