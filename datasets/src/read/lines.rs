//! Bytes as numbered lines.

use super::check::Reason;
use crate::error::Place;

/// The byte order mark that some editors put before UTF-8.
pub(super) const BOM: &str = "\u{feff}";

/// A line without its end (`\n` or `\r\n`), or the reason why it is not text.
pub(super) type Line<'a> = (Place, Result<&'a str, Reason>);

/// The lines of a file, counted from 1. An empty rest after the last line end does not count as a line.
pub(super) fn numbered(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> + Clone {
    let bytes = bytes.strip_prefix(BOM.as_bytes()).unwrap_or(bytes);
    bytes.split_inclusive(|&byte| byte == b'\n').enumerate().map(|(index, line)| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (Place::Line(index + 1), text(line))
    })
}

fn text(line: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(line).map_err(|error| {
        let valid = error.valid_up_to();
        format!("invalid UTF-8 after byte {valid} of the line; if the file has another encoding, name it as encoding")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Result<&str, Reason>> {
        numbered(bytes).map(|(_, line)| line).collect()
    }

    #[test]
    fn line_ends_of_both_kinds_and_a_byte_order_mark_are_removed() {
        assert_eq!(lines("\u{feff}a\r\n\nb".as_bytes()), [Ok("a"), Ok(""), Ok("b")]);
        assert_eq!(lines(b"a\n"), [Ok("a")]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn only_the_line_that_is_not_utf8_is_bad() {
        let found = lines(b"a\nb\xff\nc");
        assert_eq!((found[0].clone(), found[2].clone()), (Ok("a"), Ok("c")));
        assert!(found[1].as_ref().is_err_and(|reason| reason.contains("after byte 1")));
    }
}
