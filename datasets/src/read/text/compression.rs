//! Gzip and Zstandard, recognized by their first bytes.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::error::{Error, Result};

/// The endings that compressed files have.
pub(in crate::read) const COMPRESSED: [&str; 2] = ["gz", "zst"];

pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(super) const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The content of a file and the name of its compression, if it has one.
///
/// # Errors
/// [`Error::BadFile`] if the compressed data are damaged or end too early.
pub(in crate::read) fn unpack<'a>(bytes: &'a [u8], path: &Path) -> Result<(Cow<'a, [u8]>, Option<&'static str>)> {
    let (content, name) = match bytes {
        _ if bytes.starts_with(GZIP) => (gzip(bytes), "gzip"),
        _ if bytes.starts_with(ZSTANDARD) => (zstandard(bytes), "zstd"),
        _ => return Ok((Cow::Borrowed(bytes), None)),
    };
    let content = content.map_err(|reason| Error::file(path, format!("damaged {name} data: {reason}")))?;
    Ok((Cow::Owned(content), Some(name)))
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(content)
}

/// All frames of a file. Frames that hold no data are passed over.
fn zstandard(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    while !bytes.is_empty() {
        match StreamingDecoder::new(&mut bytes) {
            Ok(mut frame) => {
                frame.read_to_end(&mut content).map_err(|error| error.to_string())?;
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
