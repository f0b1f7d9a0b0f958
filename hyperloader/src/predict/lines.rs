//! Sentences from a file or a pipe, as many at a time as can be read without waiting.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use peft_files::{check_contents, invalid_utf8};

use crate::{Error, Result};

/// The size of the read buffer: as much as a pipe holds.
const BUFFER: usize = 1 << 16;
/// The byte order mark that some editors put before UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The lines of a text. Each line is a sentence; white space separates its words. A blank line is a sentence without words.
pub struct Lines<R> {
    reader: BufReader<R>,
    name: PathBuf,
    /// Whether to wait until as many lines have arrived as are asked for.
    patient: bool,
    /// The number of lines that were read.
    line: usize,
    /// What ended the text, to be told after the sentences before it.
    failed: Option<Error>,
}

impl Lines<Box<dyn Read>> {
    /// The lines of the file `input`, or of standard input if that is `-`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(input: &Path) -> Result<Self> {
        if input == Path::new("-") {
            return Ok(Self::new(Box::new(std::io::stdin()), input, false));
        }
        let io = |e| Error::io(input, e);
        let file = File::open(input).map_err(io)?;
        let kind = file.metadata().map_err(io)?;
        if kind.is_dir() {
            return Err(Error::malformed(input, "a folder; expected a file with one sentence a line, or - for stdin"));
        }
        // Whoever writes into a pipe may wait for answers.
        Ok(Self::new(Box::new(file), input, kind.is_file()))
    }
}

impl<R: Read> Lines<R> {
    /// The lines of `reader`, which errors call `name`.
    ///
    /// If `patient` is set, [`next`](Self::next) waits until as many lines have arrived as are asked for. Otherwise it returns
    /// the lines that have arrived, so that a program that writes one line at a time gets an answer to each.
    pub fn new(reader: R, name: &Path, patient: bool) -> Self {
        let name = if name == Path::new("-") { PathBuf::from("stdin") } else { name.to_path_buf() };
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self { reader, name, patient, line: 0, failed: None }
    }

    /// The words of the next lines: at least one line and at most `count`; `None` at the end.
    ///
    /// # Errors
    /// If reading fails or a line is not UTF-8. The lines before it are returned first; the call after that returns the error.
    pub fn next(&mut self, count: usize) -> Result<Option<Vec<Vec<String>>>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut sentences: Vec<Vec<String>> = Vec::new();
        while sentences.is_empty() || (sentences.len() < count && self.has_line()) {
            match self.sentence() {
                Ok(Some(words)) => sentences.push(words),
                Ok(None) => break,
                Err(error) if sentences.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok((!sentences.is_empty()).then_some(sentences))
    }

    /// The words of one line; `None` at the end.
    fn sentence(&mut self) -> Result<Option<Vec<String>>> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line).map_err(|e| Error::io(&self.name, e))? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let first = self.line == 1;
        if first {
            check_contents(&self.name, &line)?;
        }
        let text = line.strip_prefix(BOM).filter(|_| first).unwrap_or(&line);
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text.split_whitespace().map(str::to_owned).collect())),
            Err(error) => {
                let reason = invalid_utf8(error.valid_up_to());
                Err(peft_files::Error::at_line(&self.name, self.line, reason).into())
            }
        }
    }

    /// Whether a whole line can be read without waiting.
    fn has_line(&self) -> bool {
        self.patient || self.reader.buffer().contains(&b'\n')
    }
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

    fn sizes(patient: bool) -> Vec<usize> {
        let mut lines = lines(&[b"a b\n", b"\n\nc\nd\ne", b" f\n", b"g\nh\ni\n", b"j"], patient);
        std::iter::from_fn(|| lines.next(2).unwrap()).map(|sentences| sentences.len()).collect()
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
        assert_eq!(read, [vec!["a", "b"], vec![], vec![], vec!["c"]]);
        assert!(lines.next(9).unwrap().is_none());
    }

    #[test]
    fn what_comes_before_an_invalid_line_is_returned_first() {
        for patient in [true, false] {
            let mut lines = lines(&[b"a\nb\nwo\xffrd\nd\n"], patient);
            assert_eq!(lines.next(9).unwrap().unwrap().len(), 2);
            let message = lines.next(9).unwrap_err().to_string();
            assert_eq!(message, "in.txt:3: invalid UTF-8 after byte 2 of the line");
        }
        let utf16 = lines(&[b"\xff\xfea\0\n\0"], true).next(9).unwrap_err().to_string();
        assert!(utf16.starts_with("in.txt: text in UTF-16"), "{utf16}");
    }
}
