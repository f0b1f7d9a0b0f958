//! Rows of text, good and bad.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::header::{Header, is_header, separator_line};
use super::rows::Rows;
use crate::read::options::ReadOptions;

/// Line, cells joined by `|`, or the fault.
fn rows(text: &str) -> Vec<(usize, Result<String, String>)> {
    Rows::new(text.as_bytes(), b',').map(|(line, row)| (line, row.map(|cells| cells.join("|")))).collect()
}

fn good(line: usize, cells: &str) -> (usize, Result<String, String>) {
    (line, Ok(cells.to_owned()))
}

#[test]
fn cells_are_plain_or_quoted() {
    assert_eq!(rows("a,b\r\n\"c,\"\"d\"\"\",\n\n\"e\nf\",g"), [good(1, "a|b"), good(2, "c,\"d\"|"), good(4, "e\nf|g")]);
    assert_eq!(rows("a\"b,\"\"\n"), [good(1, "a\"b|")]);
}

#[test]
fn a_bad_quote_is_a_fault_of_one_row() {
    let found = rows("a,b\n\"c,d\ne,f\n\"g\"h,i\nj,k\n");
    let faults: Vec<usize> = found.iter().filter(|(_, row)| row.is_err()).map(|(line, _)| *line).collect();
    assert_eq!(faults, [2, 4]);
    let cells: Vec<_> = found.iter().filter_map(|(line, row)| Some((*line, row.as_deref().ok()?))).collect();
    assert_eq!(cells, [(1, "a|b"), (3, "e|f"), (5, "j|k")]);
}

#[test]
fn the_first_line_of_excel_names_the_separator() {
    for (text, separator, length) in [
        ("sep=;\ntokens;tags\n", b';', 6),
        ("SEP=,\r\ntokens,tags\r\n", b',', 7),
        ("\"sep=^\"\ntokens^tags\n", b'^', 8),
        ("sep=\t\ntokens\ttags\n", b'\t', 6),
    ] {
        assert_eq!(separator_line(text.as_bytes()), Some((separator, length)), "{text}");
        assert_eq!(Header::of(text.as_bytes(), &ReadOptions::default()).unwrap().names, ["tokens", "tags"]);
    }
    for text in ["sep=;", "sep=a\n", "sep=\"\n", "sep=\n", "tokens,tags\n"] {
        assert_eq!(separator_line(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn the_header_shows_the_separator() {
    let options = ReadOptions::default();
    let separator = |line: &str| Header::of(line.as_bytes(), &options).unwrap().separator;
    assert_eq!(separator("tokens,tags\n"), b',');
    assert_eq!(separator("id;\"tokens\";tags\n"), b';');
    assert_eq!(separator("tokens\ttags\n"), b'\t');
    assert_eq!(separator("x,y;tokens;tags\n"), b';');
    assert!(is_header("words\tlabels", &options) && !is_header("O\tfly", &options));
}
