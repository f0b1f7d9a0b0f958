//! Detects the format by the extension of the file, then by its first line that is not blank.

use std::path::Path;

use super::columns::Columns;
use super::format::Format;
use super::lines::numbered;
use super::options::ReadOptions;
use super::{bio_layout, tsv};
use crate::error::{Error, Result};
use crate::labels::Tag;

pub(super) fn format_of(path: &Path, bytes: &[u8]) -> Result<Format> {
    by_extension(path).or_else(|| by_content(bytes)).ok_or_else(|| {
        let reason = format!("cannot detect the format; give one of {}", Format::names());
        Error::file(path, reason)
    })
}

fn by_extension(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "bio" | "iob" | "iob2" | "conll" => Some(Format::Bio),
        "csv" => Some(Format::Csv),
        "parquet" | "pq" => Some(Format::Parquet),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

fn by_content(bytes: &[u8]) -> Option<Format> {
    const PARQUET: &[u8] = b"PAR1";
    if bytes.starts_with(PARQUET) {
        return Some(Format::Parquet);
    }
    let mut lines = numbered(bytes).filter_map(|(_, line)| line.ok()).filter(|line| !line.trim().is_empty());
    let first = lines.clone().next()?;
    if first.trim_start().starts_with('{') {
        return Some(Format::Jsonl);
    }
    for (layout, format) in [(tsv::MTOD, Format::Mtod), (tsv::MTOP, Format::Mtop)] {
        if layout.fits(first) {
            return Some(format);
        }
    }
    if is_header(first) {
        return Some(Format::Csv);
    }
    lines.any(holds_tag).then_some(Format::Bio)
}

fn is_header(line: &str) -> bool {
    let names: Vec<&str> = line.split(',').map(|name| name.trim().trim_matches('"')).collect();
    Columns::find(&names, &ReadOptions::default()).is_ok()
}

fn holds_tag(line: &str) -> bool {
    let cells = bio_layout::columns(line);
    let is_tag = |cell: Option<&&str>| cell.is_some_and(|cell| Tag::parse(cell).is_ok());
    cells.len() >= 2 && (is_tag(cells.first()) || is_tag(cells.last()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, content: &str) -> Option<Format> {
        format_of(Path::new(name), content.as_bytes()).ok()
    }

    #[test]
    fn a_known_extension_decides() {
        assert_eq!(found("a.bio", ""), Some(Format::Bio));
        assert_eq!(found("a.CSV", ""), Some(Format::Csv));
        assert_eq!(found("a.parquet", ""), Some(Format::Parquet));
        assert_eq!(found("a.jsonl", ""), Some(Format::Jsonl));
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
    }

    #[test]
    fn text_without_tags_has_no_format() {
        let error = format_of(Path::new("a.txt"), b"just text\n").map_err(|error| error.to_string());
        assert!(error.is_err_and(|message| message.contains("bio, seq, mtod")));
    }
}
