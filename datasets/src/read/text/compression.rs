//! Gzip and Zstandard, recognized by the first bytes of a file that is read and by the name of one that is written.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::error::{Error, Result};

/// The endings that compressed files have.
pub(in crate::read) const COMPRESSED: [&str; 2] = ["gz", "zst"];

pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(super) const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Content of this size, in bytes, is unpacked from any file.
const ALWAYS: usize = 256 << 20;
/// Larger content is unpacked from a file that has at least the 200th part of its size. Text has the 20th part at the least.
const RATIO: usize = 200;

/// How a file is compressed.
#[derive(Clone, Copy)]
pub(in crate::read) enum Compression {
    Gzip,
    Zstandard,
}

impl Compression {
    /// The compression that the ending of a file name promises.
    pub(in crate::read) fn named(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstandard),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "zstd",
        }
    }

    /// The content of the file `path`, compressed.
    ///
    /// # Errors
    /// [`Error::BadFile`] if [`unpack`] would not give the content back.
    pub(in crate::read) fn pack(self, content: &[u8], path: &Path) -> Result<Vec<u8>> {
        let packed = match self {
            Self::Gzip => gzipped(content).map_err(Error::io(path))?,
            Self::Zstandard => compress_to_vec(content, CompressionLevel::Fastest),
        };
        match unpack(&packed, path)? {
            (again, Some(_)) if *again == *content => Ok(packed),
            _ => {
                Err(Error::file(path, format!("the {} encoder failed; write a file without compression", self.name())))
            }
        }
    }
}

/// The content of a file and the name of its compression, if it has one.
///
/// # Errors
/// [`Error::BadFile`] if the compressed data are damaged, end too early, or unpack to much more than text does.
pub(in crate::read) fn unpack<'a>(bytes: &'a [u8], path: &Path) -> Result<(Cow<'a, [u8]>, Option<&'static str>)> {
    let most = ALWAYS.max(bytes.len().saturating_mul(RATIO));
    unpack_at_most(bytes, path, most)
}

/// The same with at most `most` bytes of content.
pub(super) fn unpack_at_most<'a>(
    bytes: &'a [u8],
    path: &Path,
    most: usize,
) -> Result<(Cow<'a, [u8]>, Option<&'static str>)> {
    let (compression, content) = match bytes {
        _ if bytes.starts_with(GZIP) => (Compression::Gzip, gzip(bytes, most)),
        _ if bytes.starts_with(ZSTANDARD) => (Compression::Zstandard, zstandard(bytes, most)),
        _ => return Ok((Cow::Borrowed(bytes), None)),
    };
    let name = compression.name();
    let content = content.map_err(|reason| Error::file(path, format!("damaged {name} data: {reason}")))?;
    match content.len() > most {
        true => Err(Error::file(
            path,
            format!(
                "unpacks to more than {most} bytes, the limit for {} bytes of {name}; if that is right, unpack it first: \
                 plain files have no limit",
                bytes.len()
            ),
        )),
        false => Ok((Cow::Owned(content), Some(name))),
    }
}

/// Adds what `reader` gives to `content`, up to one byte more than `most`: then there is too much.
fn read_bounded(reader: impl Read, content: &mut Vec<u8>, most: usize) -> Result<(), String> {
    let room = (most + 1).saturating_sub(content.len());
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    reader.take(limit).read_to_end(content).map(|_| ()).map_err(|error| error.to_string())
}

fn gzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    read_bounded(MultiGzDecoder::new(bytes), &mut content, most)?;
    Ok(content)
}

/// All frames of a file. Frames that hold no data are passed over.
fn zstandard(mut bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    while !bytes.is_empty() {
        match StreamingDecoder::new(&mut bytes) {
            Ok(mut frame) => {
                read_bounded(&mut frame, &mut content, most)?;
                if content.len() > most {
                    break;
                }
                // The decoder computes the checksum and leaves comparing it to the caller.
                let decoder = &frame.decoder;
                if let (Some(said), Some(found)) = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum())
                    && said != found
                {
                    return Err("its checksum is another".to_owned());
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                bytes = bytes.get(length..).ok_or("it ends too early")?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(content)
}

fn gzipped(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}
