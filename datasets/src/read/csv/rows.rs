//! Bytes as rows of cells.
//!
//! The `csv` crate accepts a quote that is never closed and reads the rest of the file as one cell. Here it is a fault of
//! one row, and the next row begins on the next line.

use std::borrow::Cow;

use crate::read::check::Reason;

/// The cells of a row.
type Cells<'a> = Vec<Cow<'a, [u8]>>;

/// A row with the number of its first line, or what is wrong with it.
pub(super) type Row<'a> = (usize, Result<Vec<Cow<'a, str>>, Reason>);

/// The rows of a table. Lines without any character are no rows.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    separator: u8,
    at: usize,
    line: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8], separator: u8) -> Self {
        Self { bytes, separator, at: 0, line: 1 }
    }

    /// The rows that begin after `start` bytes.
    pub(super) fn after(bytes: &'a [u8], start: usize, separator: u8) -> Self {
        let mut rows = Self::new(bytes, separator);
        rows.go_to(start);
        rows
    }

    /// Moves to `at` and counts the lines on the way.
    fn go_to(&mut self, at: usize) {
        let passed = self.bytes.get(self.at..at).unwrap_or_default();
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.at = at;
    }

    /// The position after the line that contains `at`.
    fn after_line(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().position(|&byte| byte == b'\n').map_or(self.bytes.len(), |end| at + end + 1)
    }

    /// The cells of the row at `start`, and the position after it.
    fn row(&self, start: usize) -> Result<(Cells<'a>, usize), Reason> {
        let mut cells = Vec::new();
        let mut at = start;
        loop {
            let (cell, after) = match self.bytes.get(at) {
                Some(b'"') => self.quoted(at + 1)?,
                _ => self.plain(at),
            };
            cells.push(cell);
            match self.bytes.get(after) {
                Some(&byte) if byte == self.separator => at = after + 1,
                Some(b'\r') => return Ok((cells, after + 2)),
                _ => return Ok((cells, after + 1)),
            }
        }
    }

    /// A cell without quotes, and the position of its end.
    fn plain(&self, start: usize) -> (Cow<'a, [u8]>, usize) {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let ends = |&byte: &u8| byte == self.separator || byte == b'\n';
        let mut length = rest.iter().position(ends).unwrap_or(rest.len());
        let cell = rest.get(..length).unwrap_or_default();
        if rest.get(length) != Some(&self.separator) && cell.ends_with(b"\r") {
            length -= 1;
        }
        (Cow::Borrowed(rest.get(..length).unwrap_or_default()), start + length)
    }

    /// The cell after an opening quote, and the position after the closing quote. Two quotes in it mean one.
    fn quoted(&self, start: usize) -> Result<(Cow<'a, [u8]>, usize), Reason> {
        let mut cell: Cow<'a, [u8]> = Cow::Borrowed(&[]);
        let mut at = start;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let length = rest.iter().position(|&byte| byte == b'"').ok_or("a quote that is never closed")?;
            let part = rest.get(..length).unwrap_or_default();
            match cell.is_empty() {
                true => cell = Cow::Borrowed(part),
                false => cell.to_mut().extend_from_slice(part),
            }
            let after = at + length + 1;
            let next = self.bytes.get(after).copied();
            let ends_line = next == Some(b'\r') && self.bytes.get(after + 1).is_none_or(|&byte| byte == b'\n');
            match next {
                Some(b'"') => {
                    cell.to_mut().push(b'"');
                    at = after + 1;
                }
                None | Some(b'\n') => return Ok((cell, after)),
                Some(byte) if byte == self.separator || ends_line => return Ok((cell, after)),
                Some(_) => {
                    return Err("text after the closing quote of a cell; a quote in a cell is doubled".to_owned());
                }
            }
        }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        while matches!(self.bytes.get(self.at..)?, [b'\n', ..] | [b'\r', b'\n', ..]) {
            self.go_to(self.after_line(self.at));
        }
        if self.at >= self.bytes.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        let row = match self.row(start) {
            Ok((cells, end)) => {
                self.go_to(end.min(self.bytes.len()));
                cells.into_iter().map(text).collect()
            }
            Err(reason) => {
                self.go_to(self.after_line(start));
                Err(reason)
            }
        };
        Some((line, row))
    }
}

fn text(cell: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Reason> {
    let reason = "invalid UTF-8 in a cell; if the file has another encoding, name it as encoding";
    match cell {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| reason.to_owned()),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| reason.to_owned()),
    }
}
