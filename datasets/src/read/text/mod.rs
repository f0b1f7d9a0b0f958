//! From the bytes of a file to UTF-8: compression, byte order marks, encodings, line ends.

mod compression;
mod decode;
mod encoding;
mod found;
#[cfg(test)]
mod tests;

/// How a text begins that cannot be read line by line: gzip, Zstandard, UTF-16 in both orders.
pub(super) const MAGIC: [&[u8]; 4] = [compression::GZIP, compression::ZSTANDARD, b"\xff\xfe", b"\xfe\xff"];

pub(super) use compression::{COMPRESSED, Compression, unpack};
pub(super) use decode::decode;
pub use encoding::TextEncoding;
pub use found::{LineEnds, TextFound};
