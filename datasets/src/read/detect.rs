//! Detects the format by the extension of the file, then by its first line that is not blank.

use std::path::Path;

use super::format::Format;
use super::lines::{BOM, numbered};
use super::options::ReadOptions;
use super::text::COMPRESSED;
use super::{bio, csv, json, tsv};
use crate::error::{Error, Result};
use crate::labels::Tag;

/// The first bytes of a Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// The format of a file whose content, uncompressed and in UTF-8, is `bytes`.
pub(super) fn format_of(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Format> {
    by_extension(path, bytes, options).or_else(|| by_content(bytes, options)).ok_or_else(|| {
        let reason = format!("cannot detect the format; give one of {}", Format::names());
        Error::file(path, reason)
    })
}

fn by_extension(path: &Path, bytes: &[u8], options: &ReadOptions) -> Option<Format> {
    let extension = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
    let mut ending = extension(path)?;
    if COMPRESSED.contains(&ending.as_str()) {
        ending = extension(Path::new(path.file_stem()?))?;
    }
    match ending.as_str() {
        "bio" | "iob" | "iob2" | "conll" | "conllu" | "conllup" => Some(Format::Bio),
        "csv" => Some(Format::Csv),
        "parquet" | "pq" => Some(Format::Parquet),
        "jsonl" | "ndjson" => Some(json_lines_kind(bytes, options)),
        "json" => Some(json_kind(bytes, options)),
        _ => None,
    }
}

/// JSON Lines have the ending `.json` too: their first line is a whole object.
fn json_kind(bytes: &[u8], options: &ReadOptions) -> Format {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    match json::is_array(text, options) {
        true => Format::Json,
        false if text.trim_start().starts_with('[') => Format::Json,
        false => Format::Jsonl,
    }
}

/// One array of objects may have the ending of JSON Lines.
fn json_lines_kind(bytes: &[u8], options: &ReadOptions) -> Format {
    let start = bytes.strip_prefix(BOM.as_bytes()).unwrap_or(bytes).trim_ascii_start();
    let is_array = || std::str::from_utf8(bytes).is_ok_and(|text| json::is_array(text, options));
    if start.starts_with(b"[") && is_array() { Format::Json } else { Format::Jsonl }
}

/// Whether the ending of a file promises another format than the one that was found in it.
pub(super) fn contradicts(path: &Path, format: Format) -> bool {
    let ending = |path: &Path| {
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("ndjson"))
    };
    format == Format::Json && (ending(path) || path.file_stem().is_some_and(|stem| ending(Path::new(stem))))
}

fn by_content(bytes: &[u8], options: &ReadOptions) -> Option<Format> {
    if bytes.starts_with(PARQUET) {
        return Some(Format::Parquet);
    }
    let mut lines = numbered(bytes).filter_map(|(_, line)| line.ok()).filter(|line| !line.trim().is_empty());
    let first = lines.clone().next()?;
    if first.trim_start().starts_with(['{', '['])
        && std::str::from_utf8(bytes).is_ok_and(|text| json::is_array(text, options))
    {
        return Some(Format::Json);
    }
    if first.trim_start().starts_with('{') {
        return Some(Format::Jsonl);
    }
    for (layout, format) in [(tsv::MTOD, Format::Mtod), (tsv::MTOP, Format::Mtop)] {
        if layout.fits(first) {
            return Some(format);
        }
    }
    if csv::separator_line(bytes.strip_prefix(BOM.as_bytes()).unwrap_or(bytes)).is_some()
        || csv::is_header(first, options) && !has_one_token_a_line(bytes)
    {
        return Some(Format::Csv);
    }
    lines.any(holds_tag).then_some(Format::Bio)
}

/// Whether blank lines part the lines and a line holds one token, so that the first line only names the columns.
fn has_one_token_a_line(bytes: &[u8]) -> bool {
    let lines = || numbered(bytes).filter_map(|(_, line)| line.ok()).map(str::trim);
    let last = lines().filter(|line| !line.is_empty()).count();
    let inner = lines().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).count();
    inner < last && lines().filter(|line| !line.is_empty()).skip(1).all(|line| line.split_whitespace().count() == 2)
}

fn holds_tag(line: &str) -> bool {
    let cells = bio::cells(line);
    let is_tag = |cell: Option<&&str>| cell.is_some_and(|cell| Tag::parse(cell).is_ok());
    cells.len() >= 2 && (is_tag(cells.first()) || is_tag(cells.last()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, content: &str) -> Option<Format> {
        format_of(Path::new(name), content.as_bytes(), &ReadOptions::default()).ok()
    }

    #[test]
    fn a_known_extension_decides() {
        assert_eq!(found("a.bio", ""), Some(Format::Bio));
        assert_eq!(found("a.CSV", ""), Some(Format::Csv));
        assert_eq!(found("a.parquet", ""), Some(Format::Parquet));
        assert_eq!(found("a.jsonl", ""), Some(Format::Jsonl));
        assert_eq!(found("a.jsonl.gz", ""), Some(Format::Jsonl));
        assert_eq!(found("a.csv.zst", ""), Some(Format::Csv));
    }

    #[test]
    fn json_is_one_array_or_an_object_a_line() {
        assert_eq!(found("a.json", "[\n {\"tokens\": []}]"), Some(Format::Json));
        assert_eq!(found("a.json", "{\"data\": [{\"tokens\": []}]}"), Some(Format::Json));
        assert_eq!(found("a.json", "{\"data\": [1]}\n{}"), Some(Format::Jsonl));
        assert_eq!(found("a.json", "{\"tokens\": []}\n{\"tokens\": []}"), Some(Format::Jsonl));
        assert_eq!(found("a.txt", "[{\"tokens\": []}]"), Some(Format::Json));
        assert_eq!(found("a.jsonl", "\u{feff} [\n{\"tokens\": []}]"), Some(Format::Json));
        assert_eq!(found("a.jsonl", "[1]\n[2]"), Some(Format::Jsonl));
        assert_eq!(found("a.json", "{\"version\": NaN, \"data\": [{\"tokens\": []}], \"n\": 1}\n"), Some(Format::Json));
        // A column of JSON Lines may be called `data` too.
        assert_eq!(found("a.json", "{\"id\": 1, \"data\": [{}]}\n{\"id\": 2}"), Some(Format::Jsonl));
        assert_eq!(found("a.json", "{\"data\": 1, \"tokens\": [], \"tags\": []}"), Some(Format::Jsonl));
        assert_eq!(found("a.json", "{\"id\": 1, \"data\": [{}], \"tokens\": [], \"tags\": []}"), Some(Format::Jsonl));
        assert_eq!(found("a.txt", "[ O\n( O\n"), Some(Format::Bio));
    }

    #[test]
    fn a_first_line_may_name_the_columns_of_one_token_a_line() {
        assert_eq!(found("a.tsv", "tokens\ttags\nto rome\tO B-x\n"), Some(Format::Csv));
        assert_eq!(found("a.tsv", "tokens\ttags\nto\tO\n\nrome\tB-x\n"), Some(Format::Bio));
    }

    #[test]
    fn otherwise_the_content_does() {
        let tokens = r#"{"tokens": ["a"], "tokenSpans": [{"start": 0, "length": 1}]}"#;
        assert_eq!(found("a.tsv", &format!("i\t\ta\td\ten\t{tokens}")), Some(Format::Mtod));
        assert_eq!(found("a.txt", &format!("1\ti\t\ta\td\ten\t[i]\t{tokens}")), Some(Format::Mtop));
        assert_eq!(found("a.tsv", "O\ta"), Some(Format::Bio));
        assert_eq!(found("a.txt", "# comment\n\nEU NNP B-ORG\n"), Some(Format::Bio));
        assert_eq!(found("a", "{\"tokens\": []}\n"), Some(Format::Jsonl));
        assert_eq!(found("a.txt", "id,\"words\",labels\n"), Some(Format::Csv));
        assert_eq!(found("a", "PAR1…"), Some(Format::Parquet));
        assert_eq!(found("a.txt", "\u{feff}sep=^\r\nsatz^ner\r\n"), Some(Format::Csv));
    }

    #[test]
    fn text_without_tags_has_no_format() {
        let error =
            format_of(Path::new("a.txt"), b"just text\n", &ReadOptions::default()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|message| message.contains("bio, seq, mtod")));
    }
}
