//! Texts from a file or a pipe, as many at a time as can be read without waiting.

use std::fs::File;
use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use datasets::read::{must_be_whole, plain_text_of};
use peft_files::{check_contents, invalid_utf8, text_of};

use super::input::{InputFormat, Request};
use crate::shards::LineSection;
use crate::{Error, Result};

/// The size of the read buffer: as much as a pipe holds.
const BUFFER: usize = 1 << 16;
/// The byte order mark that some editors put before UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The lines of an input. Each line is a text to label, also a blank one, which has no words.
///
/// An input that is compressed or UTF-16 is read whole before its first line.
pub struct Lines<R> {
    text: Text<R>,
    name: PathBuf,
    format: InputFormat,
    /// Whether to wait until as many lines have arrived as are asked for.
    patient: bool,
    /// The number of lines that were read.
    line: usize,
    /// Where the next line begins in the file, if the text begins in the middle of one.
    byte: Option<u64>,
    /// What ended the input, to be told after the lines before it.
    failed: Option<Error>,
}

/// What was read before the first line, and the rest.
type Beginning<R> = Chain<Cursor<Vec<u8>>, R>;

/// The text of [`Lines`].
enum Text<R> {
    /// Nothing is read yet: whoever writes into a pipe may want an answer to another question first.
    Unread(R),
    /// What was read to recognize the text, or all of it, and the rest.
    Open(BufReader<Beginning<R>>),
    /// It could not be opened.
    Broken,
}

impl Lines<Box<dyn Read>> {
    /// The lines of the file `input`, or of standard input if that is `-`, in `format`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(input: &Path, format: InputFormat) -> Result<Self> {
        if input == Path::new("-") {
            return Ok(Self::new(Box::new(std::io::stdin()), input, false).format(format));
        }
        let io = |e| Error::io(input, e);
        let file = File::open(input).map_err(io)?;
        let kind = file.metadata().map_err(io)?;
        if kind.is_dir() {
            return Err(Error::malformed(input, "a folder; expected a file with one text a line, or - for stdin"));
        }
        // Whoever writes into a pipe may wait for answers.
        Ok(Self::new(Box::new(file), input, kind.is_file()).format(format))
    }

    /// The lines of `section`, in `format`. They are the same lines as in the whole file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn section(section: &LineSection, format: InputFormat) -> Result<Self> {
        let lines = Self::new(Box::new(section.open()?), section.path(), true).format(format);
        Ok(match section.bytes().start {
            0 => lines,
            byte => lines.beginning_at(byte),
        })
    }
}

impl<R: Read> Lines<R> {
    /// The lines of `reader`, which errors call `name`. Each is a raw text.
    ///
    /// If `patient` is set, [`next`](Self::next) waits until as many lines have arrived as are asked for. Otherwise it returns
    /// the lines that have arrived, so that a program that writes one line at a time gets an answer to each.
    pub fn new(reader: R, name: &Path, patient: bool) -> Self {
        let name = if name == Path::new("-") { PathBuf::from("stdin") } else { name.to_path_buf() };
        Self { text: Text::Unread(reader), name, format: InputFormat::Text, patient, line: 0, byte: None, failed: None }
    }

    /// Sets what a line is. Default: a raw text.
    #[must_use]
    pub fn format(self, format: InputFormat) -> Self {
        Self { format, ..self }
    }

    /// The same lines, the first of which begins at this byte of a file of UTF-8. Errors name the byte of a line: nobody has counted
    /// the lines before it.
    fn beginning_at(mut self, byte: u64) -> Self {
        self.text = match self.text {
            Text::Unread(reader) => Text::Open(BufReader::with_capacity(BUFFER, Cursor::new(Vec::new()).chain(reader))),
            text => text,
        };
        Self { byte: Some(byte), ..self }
    }

    /// The next lines: at least one and at most `count`; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or a line is not UTF-8 (or what a byte order mark says), or not in the format. The lines before it are
    /// returned first; the call after that returns the error.
    pub fn next(&mut self, count: usize) -> Result<Option<Vec<Request>>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut requests: Vec<Request> = Vec::new();
        while requests.is_empty() || (requests.len() < count && self.has_line()) {
            match self.request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) if requests.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok((!requests.is_empty()).then_some(requests))
    }

    /// The rest of the input as one raw text, without the line end at its end.
    ///
    /// # Errors
    /// If reading fails, or the input is not UTF-8 (or what a byte order mark says).
    pub fn document(mut self) -> Result<Request> {
        let mut bytes = Vec::new();
        let read = self.reader()?.read_to_end(&mut bytes);
        read.map_err(|e| Error::io(&self.name, e))?;
        check_contents(&self.name, &bytes)?;
        let text = text_of(&self.name, bytes)?;
        Ok(Request::raw(without_line_end(&text)))
    }

    /// The reader, which is opened by the first call.
    fn reader(&mut self) -> Result<&mut BufReader<Beginning<R>>> {
        if let Text::Unread(_) = &self.text
            && let Text::Unread(reader) = std::mem::replace(&mut self.text, Text::Broken)
        {
            self.text = Text::Open(BufReader::with_capacity(BUFFER, opened(reader, &self.name)?));
        }
        match &mut self.text {
            Text::Open(reader) => Ok(reader),
            Text::Unread(_) | Text::Broken => Err(Error::Internal("a text is read that could not be opened".into())),
        }
    }

    /// What the next line asks for; `None` at the end.
    fn request(&mut self) -> Result<Option<Request>> {
        let mut line = Vec::new();
        let read = self.reader()?.read_until(b'\n', &mut line);
        if read.map_err(|e| Error::io(&self.name, e))? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let first = self.line == 1 && self.byte.is_none();
        let begins = self.byte;
        if let Some(next) = &mut self.byte {
            *next += line.len() as u64;
        }
        if first {
            check_contents(&self.name, &line)?;
        }
        let text = line.strip_prefix(BOM).filter(|_| first).unwrap_or(&line);
        let text = std::str::from_utf8(text).map_err(|error| invalid_utf8(error.valid_up_to()));
        let request = text.and_then(|text| self.format.request(without_line_end(text)));
        request.map(Some).map_err(|reason| match begins {
            Some(byte) => Error::malformed(&self.name, format!("the line at byte {byte}: {reason}")),
            None => peft_files::Error::at_line(&self.name, self.line, reason).into(),
        })
    }

    /// Whether a whole line can be read without waiting.
    fn has_line(&self) -> bool {
        let arrived = match &self.text {
            Text::Open(reader) => reader.buffer(),
            Text::Unread(_) | Text::Broken => &[],
        };
        self.patient || arrived.contains(&b'\n')
    }
}

/// `text` without the line end of Unix or Windows at its end.
fn without_line_end(text: &str) -> &str {
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    line.unwrap_or(text)
}

/// The beginning of the text and the rest, or all of the text as UTF-8 and nothing.
fn opened<R: Read>(mut reader: R, name: &Path) -> Result<Beginning<R>> {
    let failed = |e| Error::io(name, e);
    let (mut head, mut part) = (Vec::new(), vec![0; BUFFER]);
    let whole = loop {
        let count = match reader.read(&mut part) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            count => count.map_err(failed)?,
        };
        head.extend_from_slice(part.get(..count).unwrap_or_default());
        match must_be_whole(&head) {
            Some(whole) => break whole,
            None if count == 0 => break false,
            None => {}
        }
    };
    if whole {
        reader.read_to_end(&mut head).map_err(failed)?;
        head = plain_text_of(&head, name)?.into_bytes();
    }
    Ok(Cursor::new(head).chain(reader))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Gives one chunk a call, as a pipe does.
    struct Pipe(Vec<&'static [u8]>);

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let chunk = self.0.remove(0);
            buffer[..chunk.len()].copy_from_slice(chunk);
            Ok(chunk.len())
        }
    }

    fn lines(chunks: &[&'static [u8]], patient: bool) -> Lines<Pipe> {
        Lines::new(Pipe(chunks.to_vec()), Path::new("in.txt"), patient)
    }

    fn texts(requests: Vec<Request>) -> Vec<String> {
        requests.iter().map(|request| request.item.text().to_owned()).collect()
    }

    fn sizes(patient: bool) -> Vec<usize> {
        let mut lines = lines(&[b"a b\n", b"\n\nc\nd\ne", b" f\n", b"g\nh\ni\n", b"j"], patient);
        std::iter::from_fn(|| lines.next(2).unwrap()).map(|requests| requests.len()).collect()
    }

    #[test]
    fn lines_that_have_arrived_are_returned_at_once() {
        assert_eq!(sizes(false), [1, 2, 2, 1, 2, 1, 1]);
        assert_eq!(sizes(true), [2, 2, 2, 2, 2]);
    }

    #[test]
    fn every_line_is_a_sentence_also_a_blank_one() {
        let mut lines = lines(&["\u{feff}a  b\r\n\r\n \t\nc".as_bytes()], true);
        let read = lines.next(9).unwrap().unwrap();
        assert_eq!(texts(read), ["a  b", "", " \t", "c"]);
        assert!(lines.next(9).unwrap().is_none());
    }

    #[test]
    fn utf_16_and_compressed_text_are_read_whole() {
        let mut wide = lines(&[b"\xff", b"\xfea\0\n", b"\0b\0\n\0"], false);
        assert_eq!(texts(wide.next(9).unwrap().unwrap()), ["a", "b"]);
        assert!(wide.next(9).unwrap().is_none());
        let damaged = lines(&[b"\x1f\x8b\x08"], false).next(9).unwrap_err().to_string();
        assert!(damaged.starts_with("in.txt: damaged gzip data"), "{damaged}");
        // A bracket may be the beginning of Zstandard, until the next byte says that it is not.
        assert_eq!(texts(lines(&[b"(", b" a )\n"], false).next(9).unwrap().unwrap()), ["( a )"]);
    }

    #[test]
    fn what_comes_before_an_invalid_line_is_returned_first() {
        for patient in [true, false] {
            let mut lines = lines(&[b"a\nb\nwo\xffrd\nd\n"], patient);
            assert_eq!(lines.next(9).unwrap().unwrap().len(), 2);
            let message = lines.next(9).unwrap_err().to_string();
            assert_eq!(message, "in.txt:3: invalid UTF-8 after byte 2 of the line");
        }
    }
}
