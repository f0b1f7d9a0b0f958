//! From the bytes of a file to UTF-8: compression, byte order marks, encodings, line ends.

mod compression;
mod decode;
mod encoding;
mod found;
#[cfg(test)]
mod tests;

pub(super) use compression::{COMPRESSED, Compression, unpack};
pub(super) use decode::decode;
pub use encoding::TextEncoding;
pub use found::{LineEnds, TextFound};
