//! Bytes as text. An error names the line.

use std::path::Path;

use crate::Error;
use crate::contents::check_contents;

/// The byte order mark that some editors put before UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The text in `bytes`, the content of the file at `path`, without a byte order mark.
///
/// # Errors
/// [`Error`] naming `path` if it is not a text file; with `:line` after it if a line is not UTF-8.
pub fn text_of(path: impl AsRef<Path>, mut bytes: Vec<u8>) -> Result<String, Error> {
    let path = path.as_ref();
    check_contents(path, &bytes)?;
    if bytes.starts_with(BOM) {
        bytes.drain(..BOM.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        Error::at_line(path, line, invalid_utf8(valid - start))
    })
}

/// The reason why a line is no text: the byte after its first `valid` bytes is not UTF-8.
pub fn invalid_utf8(valid: usize) -> String {
    format!("invalid UTF-8 after byte {valid} of the line")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        text_of("a.txt", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(text_of("a", "\u{feff}a\u{feff}".into()).unwrap(), "a\u{feff}");
    }

    #[test]
    fn what_is_no_text_has_its_line_and_byte() {
        assert_eq!(message(b"\xff"), "a.txt:1: invalid UTF-8 after byte 0 of the line");
        assert_eq!(message(b"a\r\nb\ncde\xe9\n"), "a.txt:3: invalid UTF-8 after byte 3 of the line");
        assert_eq!(
            message("ab\u{e9}".as_bytes().split_last().unwrap().1),
            "a.txt:1: invalid UTF-8 after byte 2 of the line"
        );
        assert!(message(b"\xff\xfea\0").contains("UTF-16"));
    }
}
