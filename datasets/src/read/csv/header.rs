//! The first row, which names the columns and shows what separates cells.

use std::borrow::Cow;

use crate::read::columns::Columns;
use crate::read::options::ReadOptions;

use super::rows::Rows;

/// What may separate cells.
const SEPARATORS: [u8; 4] = *b",;\t|";

/// The names of the columns, and the separator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    pub(super) separator: u8,
}

impl Header {
    /// The header of a table: with the separator that Excel's line before it names or, without that line, with the one that makes
    /// the needed columns out of the header or, if none does, with the one that makes the most.
    pub(super) fn of(bytes: &[u8], options: &ReadOptions) -> Option<Self> {
        if let Some((separator, length)) = separator_line(bytes) {
            return Self::with(bytes.get(length..).unwrap_or_default(), separator);
        }
        let mut headers: Vec<Self> = SEPARATORS.iter().filter_map(|&separator| Self::with(bytes, separator)).collect();
        headers.sort_by_key(|header| std::cmp::Reverse(header.names.len()));
        let fits = headers.iter().position(|header| Columns::find(&header.names, options).is_ok());
        headers.into_iter().nth(fits.unwrap_or_default())
    }

    fn with(bytes: &[u8], separator: u8) -> Option<Self> {
        let (_, cells) = Rows::new(bytes, separator).next()?;
        let names = cells.ok()?.iter().map(|name| name.trim().to_owned()).collect();
        Some(Self { names, separator })
    }

    /// The separator for people.
    pub(super) fn separator_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.separator {
            b',' => "commas",
            b';' => "semicolons",
            b'\t' => "tabs",
            b'|' => "bars",
            other => return Cow::Owned(format!("`{}`", char::from(other))),
        })
    }
}

/// The separator that Excel's first line `sep=;` names, and the length of that line.
pub(in crate::read) fn separator_line(bytes: &[u8]) -> Option<(u8, usize)> {
    let length = bytes.iter().position(|&byte| byte == b'\n')? + 1;
    let line = bytes.get(..length)?.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match *line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator]
            if separator == b'\t' || separator.is_ascii_punctuation() && separator != b'"' =>
        {
            Some((separator, length))
        }
        _ => None,
    }
}

/// Whether a line holds the usual names of the two columns.
pub(in crate::read) fn is_header(line: &str, options: &ReadOptions) -> bool {
    let header = Header::of(line.as_bytes(), options);
    header.is_some_and(|header| header.names.len() > 1 && Columns::find(&header.names, options).is_ok())
}
