//! Sentences from a file or a pipe, as many at a time as can be read without waiting.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The size of the read buffer: as much as a pipe holds.
const BUFFER: usize = 1 << 16;

/// The lines of a text. Each line is a sentence; white space separates its words.
pub struct Lines<R> {
    reader: BufReader<R>,
    name: PathBuf,
    /// Whether to wait until as many lines have arrived as are asked for.
    patient: bool,
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
        let file = File::open(input).map_err(|e| Error::io(input, e))?;
        Ok(Self::new(Box::new(file), input, true))
    }
}

impl<R: Read> Lines<R> {
    /// The lines of `reader`, which errors call `name`.
    ///
    /// If `patient` is set, [`next`](Self::next) waits until as many lines have arrived as are asked for. Otherwise it returns
    /// the lines that have arrived, so that a program that writes one line at a time gets an answer to each.
    pub fn new(reader: R, name: &Path, patient: bool) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, reader), name: name.to_path_buf(), patient }
    }

    /// The words of the next lines: at least one line and at most `count`; `None` at the end. Blank lines are skipped.
    ///
    /// # Errors
    /// If reading fails, or the text is not UTF-8.
    pub fn next(&mut self, count: usize) -> Result<Option<Vec<Vec<String>>>> {
        let mut sentences: Vec<Vec<String>> = Vec::new();
        let mut line = String::new();
        while sentences.is_empty() || (sentences.len() < count && self.has_line()) {
            line.clear();
            if self.reader.read_line(&mut line).map_err(|e| Error::io(&self.name, e))? == 0 {
                break;
            }
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            if !words.is_empty() {
                sentences.push(words);
            }
        }
        Ok((!sentences.is_empty()).then_some(sentences))
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

    fn sizes(patient: bool) -> Vec<usize> {
        let pipe = Pipe(vec![b"a b\n", b"\n\nc\nd\ne", b" f\n", b"g\nh\ni\n", b"j"]);
        let mut lines = Lines::new(pipe, Path::new("-"), patient);
        std::iter::from_fn(|| lines.next(2).unwrap()).map(|sentences| sentences.len()).collect()
    }

    #[test]
    fn lines_that_have_arrived_are_returned_at_once() {
        assert_eq!(sizes(false), [1, 2, 1, 2, 1, 1]);
        assert_eq!(sizes(true), [2, 2, 2, 2]);
    }
}
