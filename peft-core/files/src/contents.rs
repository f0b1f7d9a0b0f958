//! Recognizes what is often found in the place of a file: a pointer of Git LFS, a web page, a compressed file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// As many bytes as are needed to recognize what a file is.
const HEAD: u64 = 512;
/// How compressed files begin, and the commands that unpack them.
const COMPRESSED: [(&[u8], &str, &str); 2] =
    [(&[0x1f, 0x8b], "gzip", "gzip -d"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -d")];
/// How a pointer of Git LFS begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Checks that the file at `path`, which begins with `bytes`, is not something else under its name.
///
/// ```
/// let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 990345061\n";
/// let message = peft_files::check_contents("model.safetensors", pointer).unwrap_err().to_string();
/// assert!(message.starts_with("model.safetensors: a Git LFS pointer (of 990345061 bytes), not the file itself"), "{message}");
/// ```
///
/// # Errors
/// [`Error`] naming `path` if the bytes are a pointer of Git LFS, a web page, text in UTF-16, or compressed.
pub fn check_contents(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    match mistaken(bytes) {
        Some(reason) => Err(Error::malformed(path, reason)),
        None => Ok(()),
    }
}

/// [`check_contents`] for a file that is not in memory: only its beginning is read.
///
/// # Errors
/// As [`check_contents`], and if the file cannot be read.
pub fn check_file(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.map_err(|source| Error::new(path, source))?;
    check_contents(path, &head)
}

/// The part of [`check_contents`] that fits any file, also text in UTF-16 and lists of words: it is no pointer of Git LFS.
///
/// # Errors
/// [`Error`] naming `path` if the bytes are a pointer.
pub fn check_pointer(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    match bytes.starts_with(POINTER) {
        true => Err(Error::malformed(path, pointer(bytes))),
        false => Ok(()),
    }
}

fn mistaken(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(POINTER) {
        return Some(pointer(bytes));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let reason = "text in UTF-16; expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)";
        return Some(reason.to_owned());
    }
    let packed = COMPRESSED.iter().find(|(magic, ..)| bytes.starts_with(magic));
    if let Some((_, name, command)) = packed {
        return Some(format!("compressed by {name}, not the file itself; unpack it first ({command})"));
    }
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |word: &str| start.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word.as_bytes()));
    let page = ["<!doctype html", "<html"].into_iter().any(begins);
    page.then(|| {
        "a web page, not the file itself: download the raw file (on the hub: `resolve` instead of `blob`)".into()
    })
}

fn pointer(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..HEAD as usize).unwrap_or(bytes));
    let size = text.lines().find_map(|line| line.strip_prefix("size ")?.trim().parse::<u64>().ok());
    let size = size.map(|size| format!(" (of {size} bytes)")).unwrap_or_default();
    format!(
        "a Git LFS pointer{size}, not the file itself: run `git lfs pull` where it was cloned, or download the file"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn say(bytes: &[u8]) -> Option<String> {
        check_contents("f", bytes).err().map(|error| error.to_string())
    }

    #[test]
    fn pages_and_pointers_are_called_that() {
        assert!(say(b"\n <!DOCTYPE HTML><html>").unwrap().starts_with("f: a web page, not the file itself"));
        assert!(say(b"<HTML lang=en>").unwrap().contains("web page"));
        assert!(say("\u{feff}<!doctype html>".as_bytes()).unwrap().contains("web page"));
        assert!(say(b"\x1f\x8b\x08\0").unwrap().starts_with("f: compressed by gzip"), "with what unpacks it");
        let short = say(b"version https://git-lfs.github.com/spec/v1").unwrap();
        assert!(short.starts_with("f: a Git LFS pointer, not the file itself"), "{short}");
        assert_eq!([&b""[..], b"<", b"{\"a\": \"<html>\"}", b"version 1\n"].map(say), [None, None, None, None]);
    }

    #[test]
    fn only_the_beginning_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        std::fs::write(&path, [b"<html>".to_vec(), vec![0xff; 5000]].concat()).unwrap();
        assert!(check_file(&path).unwrap_err().to_string().contains("w.safetensors: a web page"));
        std::fs::write(&path, [0xaa; 5000]).unwrap();
        check_file(&path).unwrap();
        assert!(check_file(folder.path().join("none")).is_err());
    }
}
