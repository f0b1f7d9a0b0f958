//! Any encoding as UTF-8.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding};

use super::encoding::TextEncoding;
use super::found::{LineEnds, TextFound, without_end};
use crate::error::{Error, Place, Result};

/// The text in UTF-8 with `\n` or `\r\n` as line ends, and what was found out about it.
///
/// Text that should be UTF-8 is not checked: the readers name the lines that are not.
///
/// # Errors
/// [`Error::BadLine`] with the line and the byte if the text does not have the encoding.
pub(in crate::read) fn decode<'a>(
    bytes: Cow<'a, [u8]>,
    path: &Path,
    given: Option<TextEncoding>,
    compression: Option<&'static str>,
) -> Result<(Cow<'a, [u8]>, TextFound)> {
    let marked = Encoding::for_bom(&bytes).map(|(encoding, _)| TextEncoding::new(encoding));
    let encoding = marked.or(given).unwrap_or(TextEncoding::UTF_8);
    let text = match encoding == TextEncoding::UTF_8 {
        true => {
            refuse_unmarked_utf16(&bytes, path)?;
            bytes
        }
        false => Cow::Owned(converted(&bytes, path, encoding)?.into_bytes()),
    };
    let (line_ends, returns_in_lines) = LineEnds::of(&text);
    let (encoding, byte_order_mark) = (encoding.to_string(), marked.is_some());
    let found = TextFound { encoding, byte_order_mark, line_ends, returns_in_lines, compression };
    match line_ends {
        Some(LineEnds::Cr | LineEnds::MostlyCr) => Ok((Cow::Owned(with_newlines(&text)), found)),
        _ => Ok((text, found)),
    }
}

/// The text with `\n` as its only line end.
fn with_newlines(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let (body, ended) = without_end(line);
        lines.extend(body.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }));
        lines.extend(ended.then_some(b'\n'));
    }
    lines
}

/// UTF-16 without a mark is valid UTF-8 as long as it has only the letters of English, with a zero after each. Words may begin like
/// that too, but line ends have no zeros in UTF-8.
fn refuse_unmarked_utf16(bytes: &[u8], path: &Path) -> Result<()> {
    let name = match bytes {
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => "utf-16le",
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => "utf-16be",
        _ => return Ok(()),
    };
    let little = name == "utf-16le";
    let is_wide = |(at, _): (usize, &u8)| {
        let partner = if little { Some(at + 1) } else { at.checked_sub(1) };
        at % 2 == usize::from(!little) && partner.and_then(|partner| bytes.get(partner)) == Some(&0)
    };
    if !bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').all(is_wide) {
        return Ok(());
    }
    let reason = format!("every second byte is zero; if the file is UTF-16, say so as encoding = \"{name}\"");
    Err(Error::file(path, reason))
}

fn converted(bytes: &[u8], path: &Path, encoding: TextEncoding) -> Result<String> {
    let mut decoder = encoding.encoding().new_decoder();
    let mut text = String::new();
    // The decoder takes nothing from the rest before it has room for one character.
    let (mut read, spare) = (0, 16);
    loop {
        let rest = bytes.get(read..).unwrap_or_default();
        text.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()) + spare);
        let (result, taken) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        read += taken;
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(after));
                let line = text.bytes().filter(|&byte| byte == b'\n').count() + 1;
                let reason = format!("byte {} of the file is not valid {encoding}; give its encoding", at + 1);
                return Err(Error::BadLine { path: path.to_owned(), place: Place::Line(line), reason });
            }
        }
    }
}
