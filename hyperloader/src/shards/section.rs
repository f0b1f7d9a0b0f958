//! The lines of a text file that belong to a shard.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use datasets::read::must_be_whole;

use super::Shard;
use crate::{Error, Result};

/// Bytes that are read at once.
const AT_ONCE: usize = 1 << 16;

/// The lines of a text file that belong to a shard: those whose first byte is in the shard's share of the file's bytes.
///
/// Only the ends of the line before the section and of its last line are read to find it, so it takes as long in a file of a terabyte.
#[derive(Debug)]
pub struct LineSection {
    path: PathBuf,
    bytes: Range<u64>,
}

impl LineSection {
    /// The section of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Config`] if the file cannot be cut: it is standard input, a pipe, compressed, or UTF-16. [`Error::Io`].
    pub fn of(path: &Path, shard: Shard) -> Result<Self> {
        let uncut = |what: &str, hint: &str| {
            Error::Config(format!("{}: {what}, which cannot be cut into shards{hint}", path.display()))
        };
        if peft_files::is_stdout(path) {
            return Err(Error::Config("--shard: standard input cannot be cut into shards; name a file".into()));
        }
        let failed = |error| Error::io(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(uncut(if found.is_dir() { "a folder" } else { "a pipe or a device" }, ""));
        }
        if is_packed(&mut file).map_err(failed)? {
            return Err(uncut("compressed, or UTF-16", "; unpack it, or write it as UTF-8"));
        }
        let share = shard.range(found.len());
        let (start, end) = (line_start(&mut file, share.start), line_start(&mut file, share.end));
        Ok(Self { path: path.to_path_buf(), bytes: start.map_err(failed)?..end.map_err(failed)? })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes in the file.
    pub fn bytes(&self) -> Range<u64> {
        self.bytes.clone()
    }

    /// Reads it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(&self) -> Result<Take<File>> {
        open(&self.path, &self.bytes).map_err(|error| Error::io(&self.path, error))
    }
}

/// The CRC-32C of `bytes` of the file at `path`, in hexadecimal digits.
///
/// # Errors
/// If the file cannot be read.
pub fn checksum(path: &Path, bytes: &Range<u64>) -> Result<String> {
    let sum = || -> io::Result<u32> {
        let (mut reader, mut crc) = (BufReader::with_capacity(AT_ONCE, open(path, bytes)?), 0);
        loop {
            let part = reader.fill_buf()?;
            if part.is_empty() {
                return Ok(crc);
            }
            crc = crc32c::crc32c_append(crc, part);
            let count = part.len();
            reader.consume(count);
        }
    };
    Ok(format!("{:08x}", sum().map_err(|error| Error::io(path, error))?))
}

fn open(path: &Path, bytes: &Range<u64>) -> io::Result<Take<File>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(bytes.start))?;
    Ok(file.take(bytes.end.saturating_sub(bytes.start)))
}

/// Whether the text must be read whole before its lines are known.
fn is_packed(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head)?;
    Ok(must_be_whole(&head).unwrap_or(false))
}

/// The first byte at or after byte `at` that begins a line; the length of `file` if there is none.
fn line_start(file: &mut (impl Read + Seek), at: u64) -> io::Result<u64> {
    // A line may begin at `at` itself: the byte before it is looked at first.
    let Some(mut place) = at.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(place))?;
    let mut reader = BufReader::with_capacity(AT_ONCE, file);
    loop {
        let part = reader.fill_buf()?;
        let (count, ended) = match part.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (part.len(), part.is_empty()),
        };
        place += count as u64;
        if ended {
            return Ok(place);
        }
        reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// The sections of `text` in `count` shards.
    fn sections(text: &[u8], count: usize) -> Vec<&[u8]> {
        let mut file = Cursor::new(text);
        let mut cut = |at| line_start(&mut file, at).unwrap() as usize;
        let shards = Shard::all(count).unwrap().map(|shard| shard.range(text.len() as u64));
        shards.map(|share| cut(share.start)..cut(share.end)).map(|range| text.get(range).unwrap()).collect()
    }

    #[test]
    fn a_line_belongs_to_the_shard_in_which_it_begins() {
        assert_eq!(sections(b"aaaa\nb\nc\n", 3), [&b"aaaa\n"[..], b"b\n", b"c\n"]);
        assert_eq!(sections(b"aaaaaaa\nb", 3), [&b"aaaaaaa\n"[..], b"", b"b"], "a line that is longer than a shard");
        assert_eq!(sections(b"a\r\n\r\n\nb", 4), [&b"a\r\n"[..], b"", b"\r\n", b"\nb"]);
        assert_eq!(sections(b"", 2), [b"", b""]);
    }

    proptest! {
        #[test]
        fn sections_are_whole_lines_and_together_the_text(
            lines in proptest::collection::vec("[a-zä ]{0,9}", 0..12),
            ends in proptest::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n")], 12),
            ended in any::<bool>(),
            count in 1..20usize,
        ) {
            let mut text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
            if !ended {
                text.push_str("last");
            }
            let found = sections(text.as_bytes(), count);
            prop_assert_eq!(found.concat(), text.as_bytes());
            let inner = found.iter().filter(|section| !section.is_empty()).rev().skip(1);
            prop_assert!(inner.into_iter().all(|section| section.ends_with(b"\n")));
            // Each line is where its first byte is.
            let mut byte = 0;
            for line in text.split_inclusive('\n') {
                let own = Shard::all(count).unwrap().position(|shard| shard.range(text.len() as u64).contains(&byte));
                let before: usize = found.iter().take(own.unwrap()).map(|section| section.len()).sum();
                let own = before..before + found.get(own.unwrap()).unwrap().len();
                prop_assert!(own.contains(&(byte as usize)), "byte {} in {:?}", byte, own);
                byte += line.len() as u64;
            }
        }
    }

    #[test]
    fn a_file_is_cut_and_summed_by_its_own_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.txt");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        let read = |shard| {
            let section = LineSection::of(&path, shard).unwrap();
            let mut text = String::new();
            section.open().unwrap().read_to_string(&mut text).unwrap();
            (text, checksum(&path, &section.bytes()).unwrap())
        };
        let (first, sum) = read(Shard::new(0, 2).unwrap());
        assert_eq!((first.as_str(), sum), ("one\ntwo\n", format!("{:08x}", crc32c::crc32c(b"one\ntwo\n"))));
        assert_eq!(read(Shard::new(1, 2).unwrap()).0, "three\n");
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.txt");
        let refused = |path: &Path| LineSection::of(path, Shard::new(0, 2).unwrap()).unwrap_err().to_string();
        std::fs::write(&path, b"\x1f\x8b\x08text").unwrap();
        assert!(refused(&path).contains("compressed, or UTF-16, which cannot be cut"));
        assert!(refused(folder.path()).contains("a folder, which cannot be cut"));
        assert!(refused(Path::new("-")).contains("standard input"));
        assert!(refused(&folder.path().join("none")).contains("no such file"));
    }
}
