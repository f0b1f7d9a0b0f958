//! Rows of a Parquet file with all their columns, and the same rows with labels.
#![no_main]

use arbitrary::Arbitrary;
use datasets::read::rows::{LabelledRows, RowLabels, RowText, Rows, TextRows};
use hyperloader_fuzz::limits::{allow_caught_panics, bounded};
use hyperloader_fuzz::parquet::Damaged;
use hyperloader_fuzz::scratch;

#[derive(Arbitrary, Debug)]
struct Input {
    table: Damaged,
    /// Otherwise the column is named.
    found: bool,
    first: u8,
    count: u8,
}

libfuzzer_sys::fuzz_target!(init: allow_caught_panics(), |input: Input| {
    let bytes = input.table.bytes();
    let column = (!input.found).then_some("tokens");
    let folder = scratch::folder();
    let path = folder.path().join("t.parquet");
    std::fs::write(&path, &bytes).expect("a file");
    let read = bounded(bytes.len(), || -> datasets::Result<_> {
        let source = TextRows::open(&path, column)?;
        let first = u64::from(input.first).min(source.len());
        let range = first..first.saturating_add(u64::from(input.count)).min(source.len());
        source.bytes(&range);
        let rows: Vec<Rows> = source.rows(range.clone()).collect::<Result<_, _>>()?;
        assert_eq!(rows.iter().map(|rows| rows.texts.len() as u64).sum::<u64>(), range.end - range.start);
        Ok((source, rows))
    });
    let (source, rows) = match read {
        Ok(read) => read,
        Err(error) => return assert!(error.to_string().contains("t.parquet"), "{error}"),
    };
    let texts: Vec<RowText> = rows.iter().flat_map(|rows| rows.texts.clone()).collect();
    let out = folder.path().join("out.parquet");
    let mut writer = match LabelledRows::new(std::fs::File::create(&out).expect("a file"), &out, &source) {
        Ok(writer) => writer,
        Err(error) => return assert!(error.to_string().contains("parquet"), "{error}"),
    };
    for rows in rows {
        let labels = vec![RowLabels::default(); rows.texts.len()];
        // A type that can be read may be one that cannot be written.
        if let Err(error) = writer.write(rows, &labels) {
            return assert!(error.to_string().contains("out.parquet"), "{error}");
        }
    }
    writer.finish().expect("a file");
    let again = TextRows::open(&out, column).expect("what was written");
    let again: Vec<RowText> =
        again.rows(0..again.len()).flat_map(|rows| rows.expect("rows that were written").texts).collect();
    assert_eq!(again, texts);
});
