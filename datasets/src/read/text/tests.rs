//! Text in any wrapping reads the same.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use super::compression::unpack_at_most;
use super::{Compression, LineEnds, TextFound, decode, unpack};
use crate::error::Result;

const TEXT: &str = "O\tSão\nB-x\tПауло\n";

fn read(bytes: &[u8], encoding: Option<&str>) -> Result<(String, TextFound)> {
    let path = Path::new("data");
    let (bytes, compression) = unpack(bytes, path)?;
    let given = encoding.map(|name| name.parse().unwrap());
    let (text, found) = decode(bytes, path, given, compression)?;
    Ok((String::from_utf8(text.into_owned()).unwrap(), found))
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_byte_order_mark_says_the_encoding() {
    let marked = format!("\u{feff}{TEXT}");
    for (bytes, name) in
        [(utf16(&marked, u16::to_le_bytes), "utf-16le"), (utf16(&marked, u16::to_be_bytes), "utf-16be")]
    {
        let (text, found) = read(&bytes, None).unwrap();
        assert_eq!(text, TEXT);
        assert_eq!((found.encoding.as_str(), found.byte_order_mark), (name, true));
    }
    assert_eq!(read(marked.as_bytes(), None).unwrap().0, marked, "the lines remove the mark of UTF-8");
}

#[test]
fn a_given_encoding_is_used() {
    assert_eq!(read(b"caf\xe9\n", Some("windows-1252")).unwrap().0, "café\n");
    assert_eq!(read(&utf16(TEXT, u16::to_le_bytes), Some("utf-16")).unwrap().0, TEXT);
}

#[test]
fn a_wrong_encoding_is_named_with_line_and_byte() {
    let error = read(b"a\nb\n\x81\n", Some("shift_jis")).unwrap_err().to_string();
    assert!(error.starts_with("data:3: byte 5 of the file is not valid shift_jis"), "{error}");
    let error = read(&utf16("O\ta", u16::to_le_bytes), None).unwrap_err().to_string();
    assert!(error.contains("encoding = \"utf-16le\""), "{error}");
}

#[test]
fn line_ends_are_told_apart_and_old_ones_are_replaced() {
    let ends = |text: &str| read(text.as_bytes(), None).unwrap().1.line_ends;
    assert_eq!(ends("a"), None);
    assert_eq!(ends("a\nb\rc\n"), Some(LineEnds::Lf));
    assert_eq!(ends("a\r\nb\r\n"), Some(LineEnds::CrLf));
    assert_eq!(ends("a\r\nb\n"), Some(LineEnds::Mixed));
    assert_eq!(read(b"a\rb\r", None).unwrap().0, "a\nb\n");
}

#[test]
fn returns_are_line_ends_unless_most_lines_have_newlines() {
    let found = |text: &str| read(text.as_bytes(), None).unwrap();
    let (text, ends) = found("a\rb\r\rc\r\nd\n");
    assert_eq!((text.as_str(), ends.line_ends, ends.is_notable()), ("a\nb\n\nc\nd\n", Some(LineEnds::MostlyCr), true));
    assert!(ends.to_string().ends_with("line ends \\r, some \\n or \\r\\n"), "{ends}");
    let (text, ends) = found("a\r\nb\rc\r\n");
    assert_eq!((text.as_str(), ends.line_ends, ends.returns_in_lines), ("a\r\nb\rc\r\n", Some(LineEnds::CrLf), 1));
    assert!(ends.is_notable() && ends.to_string().contains("1 \\r inside of lines"), "{ends}");
    // A file that was converted twice has no blank lines.
    let (text, ends) = found("a\r\r\nb\r\r\n");
    assert_eq!((text.lines().count(), ends.line_ends, ends.is_notable()), (2, Some(LineEnds::CrLf), false));
}

#[test]
fn compressed_files_are_unpacked_whatever_their_name() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(TEXT.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(TEXT.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    for (bytes, name) in [(gzip, "gzip"), (zstd, "zstd")] {
        let (text, found) = read(&bytes, None).unwrap();
        assert_eq!((text.as_str(), found.compression), (TEXT, Some(name)));
        let twice = [bytes.as_slice(), bytes.as_slice()].concat();
        assert_eq!(read(&twice, None).unwrap().0, [TEXT, TEXT].concat(), "{name}");
        let error = read(&bytes[..bytes.len() - 6], None).unwrap_err().to_string();
        assert!(error.contains(&format!("damaged {name} data")), "{error}");
    }
    assert_eq!(unpack(b"plain", Path::new("a.gz")).unwrap(), (Cow::Borrowed(b"plain".as_slice()), None));
}

#[test]
fn compressed_files_are_unpacked_up_to_a_limit() {
    let path = Path::new("x.gz");
    let zeros = vec![0; 1000];
    for compression in [Compression::Gzip, Compression::Zstandard] {
        let packed = compression.pack(&zeros, path).unwrap();
        assert_eq!(unpack_at_most(&packed, path, 1000).unwrap().0, zeros);
        let twice = [packed.as_slice(), packed.as_slice()].concat();
        for (bytes, most) in [(packed.as_slice(), 999), (twice.as_slice(), 1999), (twice.as_slice(), 1000)] {
            let error = unpack_at_most(bytes, path, most).unwrap_err().to_string();
            assert!(error.starts_with("x.gz: ") && error.contains(&format!("more than {most} bytes")), "{error}");
            assert!(error.contains("unpack it first"), "{error}");
        }
    }
}

#[test]
fn a_git_lfs_pointer_is_called_that() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    let error = peft_files::check_pointer("train.parquet", pointer).unwrap_err().to_string();
    assert!(error.contains("train.parquet") && error.contains("Git LFS pointer"), "{error}");
}
