#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, ParquetWriter};
use proptest::prelude::*;

use super::*;

/// A table of `rows` rows in groups of `group`: numbers, texts with gaps, and lists of words.
fn table(folder: &Path, rows: usize, group: usize) -> PathBuf {
    let path = folder.join("in.parquet");
    let texts: Vec<Option<String>> = (0..rows).map(|row| (row % 5 != 3).then(|| format!("text {row}"))).collect();
    let numbers: Vec<f64> = (0..rows).map(|row| row as f64 / 4.).collect();
    let mut words = ListStringChunkedBuilder::new("topics".into(), rows, 2 * rows);
    (0..rows).for_each(|row| words.append_values_iter((0..row % 3).map(|word| ["a", "b"][word % 2])));
    let columns =
        vec![Column::new("price".into(), numbers), Column::new("text".into(), texts), words.finish().into_column()];
    let mut frame = DataFrame::new(rows, columns).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file).with_row_group_size(Some(group)).finish(&mut frame).unwrap();
    path
}

fn texts(path: &Path, column: Option<&str>, range: std::ops::Range<u64>) -> Vec<RowText> {
    let rows = TextRows::open(path, column).unwrap();
    rows.rows(range).flat_map(|part| part.unwrap().texts).collect()
}

fn text(text: &str) -> RowText {
    RowText::Text(text.to_owned())
}

fn words(words: &[&str]) -> RowText {
    RowText::Words(words.iter().map(|word| (*word).to_owned()).collect())
}

fn message(path: &Path, column: Option<&str>) -> String {
    let failed = TextRows::open(path, column).and_then(|rows| {
        let range = 0..rows.len();
        rows.rows(range).try_for_each(|part| part.map(|_| ()))
    });
    failed.unwrap_err().to_string().replace(&*path.to_string_lossy(), "FILE")
}

#[test]
fn texts_and_lists_of_words_are_read_and_a_row_without_text_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 5, 2);
    assert_eq!(texts(&path, None, 0..5), ["text 0", "text 1", "text 2", "", "text 4"].map(text));
    assert_eq!(texts(&path, Some("topics"), 1..4), [words(&["a"]), words(&["a", "b"]), words(&[])]);
    assert_eq!(texts(&path, Some("3"), 4..5), [words(&["a"])], "a column by its number");
}

#[test]
fn what_is_not_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 3, 8);
    assert_eq!(
        message(&path, Some("texts")),
        "FILE: no column `texts`; the columns are `price`, `text`, `topics`; did you mean `text`?"
    );
    assert!(message(&path, Some("price")).starts_with("FILE: column `price` holds fractions; expected text"));
    std::fs::write(&path, "no table").unwrap();
    assert!(message(&path, None).starts_with("FILE: not a Parquet file, or a damaged one: "));
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 9, 4);
    let whole = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        TextRows::open(&path, None).and_then(|rows| rows.rows(0..9).try_for_each(|part| part.map(drop)))
    };
    read(&whole).unwrap();
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
    // The content without its description: pages that are no pages.
    let mut bytes = whole.clone();
    bytes[4..64].fill(0);
    assert!(read(&bytes).unwrap_err().to_string().contains("the file is damaged"));
}

/// Writes rows of `source` with a label that counts them; the labels begin at `first`.
fn label(source: &Path, range: std::ops::Range<u64>, target: &Path) {
    let rows = TextRows::open(source, None).unwrap();
    let out = std::fs::File::create(target).unwrap();
    let mut writer = LabelledRows::new(out, target, &rows).unwrap();
    for part in rows.rows(range).collect::<Vec<_>>() {
        let part = part.unwrap();
        let labels: Vec<RowLabels> = (part.first..).take(part.texts.len()).map(labels).collect();
        writer.write(part, &labels).unwrap();
    }
    writer.finish().unwrap();
}

fn labels(row: u64) -> RowLabels {
    let span = |number: u64| RowSpan {
        kind: "city".to_owned(),
        start: number,
        end: number + 1,
        text: format!("{row}"),
        word_start: 0,
        word_end: 1,
        score: row.is_multiple_of(2).then_some(0.5),
    };
    let count = row % 3;
    let all = |name: &str| (0..count).map(|number| format!("{name}{number}")).collect();
    RowLabels {
        tokens: all("w"),
        tags: all("B-"),
        confidences: (0..count).map(|number| number as f32 / 4.).collect(),
        spans: (0..row % 4).map(span).collect(),
    }
}

/// All columns of all rows, in one part.
fn all(path: &Path) -> Vec<Box<dyn polars_arrow::array::Array>> {
    let rows = TextRows::open(path, None).unwrap();
    let range = 0..rows.len();
    let mut columns: Vec<Vec<_>> = Vec::new();
    for part in rows.rows(range).collect::<Vec<_>>() {
        let part = part.unwrap();
        columns.resize_with(part.columns.len(), Vec::new);
        columns.iter_mut().zip(part.columns).for_each(|(all, column)| all.push(column));
    }
    let joined = |parts: Vec<Box<dyn polars_arrow::array::Array>>| {
        let parts: Vec<&dyn polars_arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
        polars_arrow::compute::concatenate::concatenate(&parts).unwrap()
    };
    columns.into_iter().map(joined).collect()
}

#[test]
fn every_column_is_kept_and_the_labels_are_next_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (table(folder.path(), 10, 4), folder.path().join("out.parquet"));
    label(&source, 0..10, &target);
    let (before, after) = (all(&source), all(&target));
    assert_eq!((before.len(), after.len()), (3, 3 + ADDED.len()));
    assert_eq!(after[..3], before[..]);
    let tags = texts(&target, Some("predicted_tags"), 0..10);
    assert_eq!(tags[1..3], [words(&["B-0"]), words(&["B-0", "B-1"])]);
    let again = TextRows::open(&target, None).unwrap();
    let message = again.check_free().unwrap_err().to_string();
    assert!(message.contains("it has a column `predicted_tokens` already"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn parts_of_a_table_are_the_table(rows in 1..40usize, group in 1..12usize, mut cuts in proptest::collection::vec(0..40u64, 0..4)) {
        let folder = tempfile::tempdir().unwrap();
        let source = table(folder.path(), rows, group);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(rows as u64));
        cuts.extend([0, rows as u64]);
        cuts.sort_unstable();
        let whole = folder.path().join("whole.parquet");
        label(&source, 0..rows as u64, &whole);
        let mut found: Vec<RowText> = Vec::new();
        for (number, range) in cuts.windows(2).enumerate() {
            let part = folder.path().join(format!("{number}.parquet"));
            label(&source, range[0]..range[1], &part);
            let count = range[1] - range[0];
            prop_assert_eq!(TextRows::open(&part, None).unwrap().len(), count);
            found.extend(texts(&part, Some("predicted_tags"), 0..count));
        }
        prop_assert_eq!(found, texts(&whole, Some("predicted_tags"), 0..rows as u64));
    }
}
