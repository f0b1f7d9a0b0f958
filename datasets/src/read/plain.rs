//! Text that is no corpus, read as a corpus is: compressed or not, in any encoding that its first bytes name.

use std::path::Path;

use super::text::{MAGIC, decode, unpack};
use crate::error::Result;

/// The text of the file at `path`, which may be compressed by gzip or Zstandard and, with a byte order mark, be UTF-16.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("text.txt");
/// std::fs::write(&path, b"\xff\xfeh\0i\0\n\0")?;
/// assert_eq!(datasets::read::plain_text(&path)?, "hi\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the file cannot be read, is no text, or is a pointer of Git LFS; as [`plain_text_of`].
pub fn plain_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    plain_text_of(&std::fs::read(path).map_err(crate::Error::io(path))?, path)
}

/// The text in `bytes`, the content of the file at `path`, as [`plain_text`] reads it.
///
/// # Errors
/// [`Error::BadFile`](crate::Error::BadFile) if compressed data are damaged; [`Error::BadLine`](crate::Error::BadLine) or
/// [`Error::Io`](crate::Error::Io) with the line that does not have the encoding.
pub fn plain_text_of(bytes: &[u8], path: &Path) -> Result<String> {
    peft_files::check_pointer(path, bytes)?;
    let (bytes, compression) = unpack(bytes, path)?;
    let (bytes, _) = decode(bytes, path, None, compression)?;
    Ok(peft_files::text_of(path, bytes.into_owned())?)
}

/// Whether a text that begins with `head` must be whole before [`plain_text_of`] can read it: it is compressed or UTF-16. [`None`] if
/// `head` is too short to tell.
pub fn must_be_whole(head: &[u8]) -> Option<bool> {
    if MAGIC.iter().any(|magic| head.starts_with(magic)) {
        return Some(true);
    }
    let may_become = MAGIC.iter().any(|magic| magic.starts_with(head));
    (!may_become).then_some(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn text_is_what_it_is_in_every_dress() {
        let wide: Vec<u8> =
            [0xfeff_u16].into_iter().chain("ä b\nc\n".encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in ["ä b\nc\n".into(), "\u{feff}ä b\nc\n".into(), gzip("ä b\nc\n".as_bytes()), gzip(&wide), wide] {
            assert_eq!(plain_text_of(&bytes, Path::new("a.txt")).unwrap(), "ä b\nc\n");
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        let say = |bytes: &[u8]| plain_text_of(bytes, Path::new("a.txt")).unwrap_err().to_string();
        assert_eq!(say(b"a\n\xff"), "a.txt:2: invalid UTF-8 after byte 0 of the line");
        assert!(say(b"\x1f\x8b\x08").starts_with("a.txt: damaged gzip data"));
        assert!(say(b"version https://git-lfs.github.com/spec/v1\nsize 7\n").contains("Git LFS pointer (of 7 bytes)"));
    }

    #[test]
    fn a_beginning_tells_as_soon_as_it_can() {
        for (head, whole) in [
            (&b""[..], None),
            (b"\x1f", None),
            (b"\x1f\x8b", Some(true)),
            (b"\xff\xfe", Some(true)),
            (b"\xef\xbb\xbfa", Some(false)),
            (b"a", Some(false)),
            (b"(\n", Some(false)),
        ] {
            assert_eq!(must_be_whole(head), whole, "{head:?}");
        }
    }
}
