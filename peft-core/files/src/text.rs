//! Reads whole text and JSON files. An error names the line.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::contents::check_contents;
use crate::read_listed;

/// The byte order mark that some editors put before UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The text of the file at `path`, without a byte order mark.
///
/// # Errors
/// [`Error`] naming `path` if it cannot be read, differs from what a [manifest](crate::Manifest) says, or is not a text file; with
/// `:line` after it if a line is not UTF-8.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.txt");
/// std::fs::write(&path, b"one\nt\xffwo\n")?;
/// let message = peft_files::read_text(&path).unwrap_err().to_string();
/// assert!(message.ends_with("a.txt:2: invalid UTF-8 after byte 1 of the line"), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_text(path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref();
    text_of(path, read_listed(path)?)
}

/// The text in `bytes`, the content of the file at `path`, without a byte order mark.
///
/// # Errors
/// As [`read_text`].
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

/// The JSON document in the file at `path`, with or without a byte order mark.
///
/// # Errors
/// [`Error`] naming `path`, and the line where the document is not JSON or not a `T`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.json");
/// std::fs::write(&path, "{\n\"r\": eight}")?;
/// let message = peft_files::read_json::<serde_json::Value>(&path).unwrap_err().to_string();
/// assert!(message.ends_with("a.json:2: not JSON: expected value, at column 6"), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_json<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, Error> {
    let path = path.as_ref();
    parse_json(path, &read_text(path)?)
}

/// The JSON document `text`, the content of the file at `path`.
///
/// # Errors
/// As [`read_json`].
pub fn parse_json<T: DeserializeOwned>(path: impl AsRef<Path>, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        let reason = json_reason(text, &error);
        match error.line() {
            0 => Error::malformed(path, reason),
            line => Error::at_line(path, line, reason),
        }
    })
}

/// What is wrong with the JSON document `text`, without the line of `error`.
pub fn json_reason(text: &str, error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = whole.strip_suffix(&place).unwrap_or(&whole);
    match error.classify() {
        serde_json::error::Category::Data => reason.to_owned(),
        _ if text.trim().is_empty() => "not JSON: the file is empty".to_owned(),
        _ => format!("not JSON: {reason}{}, at column {}", hint(text, error), error.column()),
    }
}

/// What to do about mistakes that people and Python's `json` often make.
fn hint(text: &str, error: &serde_json::Error) -> &'static str {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The column is the number of bytes up to and with the one that is wrong; of a word, serde_json may count more.
    let at = |back: usize| line.get(error.column().saturating_sub(back)..).unwrap_or_default();
    let begins = |words: &[&str]| (1..=2).any(|back| words.iter().any(|word| at(back).starts_with(word)));
    if begins(&["//", "/*", "#"]) {
        " (JSON has no comments: remove it)"
    } else if begins(&["NaN", "Infinity", "-Infinity"]) {
        " (JSON has no NaN and no Infinity)"
    } else if begins(&["}"]) && error.to_string().starts_with("key must be") {
        " (remove the comma before it)"
    } else if begins(&["'"]) {
        " (JSON has double quotes only)"
    } else if begins(&["True", "False", "None"]) {
        " (JSON writes true, false and null)"
    } else {
        ""
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::*;

    fn message(bytes: &[u8]) -> String {
        text_of("a.txt", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(text_of("a", "\u{feff}a\u{feff}".into()).unwrap(), "a\u{feff}");
        assert_eq!(
            parse_json::<Value>("a", &text_of("a", "\u{feff}{}".into()).unwrap()).unwrap(),
            serde_json::json!({})
        );
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

    #[test]
    fn what_is_no_json_has_its_line_and_says_what_to_do() {
        let say = |text: &str| parse_json::<Value>("a.json", text).unwrap_err().to_string();
        assert_eq!(say(" \n"), "a.json:2: not JSON: the file is empty");
        assert_eq!(
            say("{\n \"a\": 1 // one\n}"),
            "a.json:2: not JSON: expected `,` or `}` (JSON has no comments: remove it), at column 9"
        );
        assert!(say("{\n \"a\": NaN}").contains("a.json:2: not JSON: expected value (JSON has no NaN"));
        assert!(say("{'a': 1}").contains("double quotes"));
        assert!(say("{\"a\": True}").contains("true, false and null"));
        let data = parse_json::<Vec<u8>>("a.json", "[1,\n-1]").unwrap_err().to_string();
        assert_eq!(data, "a.json:2: invalid value: integer `-1`, expected u8");
    }
}
