//! The bytes of a pickle, read from front to back.

use super::reason::Reason;

/// A range of a pickle's bytes: a text in it, without a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

/// The bytes and how many of them have been read.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let bytes = self.all.get(self.at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
        self.at += N;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Reason> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A text of `length` bytes.
    pub(super) fn text(&mut self, length: u32) -> Result<Span, Reason> {
        let span = Span { start: u32::try_from(self.at).map_err(|_| cut())?, length };
        let text = self.slice(span).ok_or_else(cut)?;
        std::str::from_utf8(text).map_err(|_| format!("the text at byte {} is not UTF-8", self.at))?;
        self.at += text.len();
        Ok(span)
    }

    /// The text up to the next line end, which is read too.
    pub(super) fn line(&mut self) -> Result<Span, Reason> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
        let span = self.text(u32::try_from(length).map_err(|_| cut())?)?;
        self.at += 1;
        Ok(span)
    }

    /// Little-endian bytes of a signed integer, of which there may be eight.
    pub(super) fn integer(&mut self, length: u8) -> Result<i64, Reason> {
        let bytes = (0..length).map(|_| self.byte()).collect::<Result<Vec<u8>, _>>()?;
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut whole = [fill; 8];
        let room = whole.get_mut(..bytes.len()).ok_or_else(|| format!("an integer of {length} bytes, at most 8"))?;
        room.copy_from_slice(&bytes);
        Ok(i64::from_le_bytes(whole))
    }

    /// The text in `span`, one that this value gave.
    pub(super) fn str(&self, span: Span) -> &'a str {
        self.slice(span).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn slice(&self, span: Span) -> Option<&'a [u8]> {
        let start = usize::try_from(span.start).ok()?;
        self.all.get(start..start.checked_add(usize::try_from(span.length).ok()?)?)
    }
}

fn cut() -> Reason {
    "it ends in the middle of an instruction".to_owned()
}
