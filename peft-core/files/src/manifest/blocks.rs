//! Checksums of the blocks of a long file.

/// The bytes of one block.
pub(super) const BLOCK: usize = 64 << 10;
/// Files up to this length are checked as a whole.
const SHORT: u64 = 1 << 20;
/// The hexadecimal digits of one block.
pub(super) const DIGITS: usize = 8;

/// The CRC-32C of a file and of its blocks, while the file is read.
#[derive(Debug, Default)]
pub(super) struct BlockCrcs {
    /// Of the blocks that are full.
    full: Vec<u32>,
    /// Of the last one, with its length.
    last: (u32, usize),
}

impl BlockCrcs {
    /// Adds the next bytes of the file.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (crc, length) = self.last;
            let (part, rest) = bytes.split_at((BLOCK - length).min(bytes.len()));
            self.last = (crc32c::crc32c_append(crc, part), length + part.len());
            if self.last.1 == BLOCK {
                self.full.push(self.last.0);
                self.last = (0, 0);
            }
            bytes = rest;
        }
    }

    /// The CRC of the file and, if it is long, those of its blocks.
    pub(super) fn finish(self) -> (u32, Option<String>) {
        let Self { full, last } = self;
        let whole = full.iter().fold(0, |whole, crc| crc32c::crc32c_combine(whole, *crc, BLOCK));
        let whole = crc32c::crc32c_combine(whole, last.0, last.1);
        if (full.len() * BLOCK + last.1) as u64 <= SHORT {
            return (whole, None);
        }
        let last = (last.1 > 0).then_some(last.0);
        (whole, Some(full.into_iter().chain(last).map(|crc| format!("{crc:08x}")).collect()))
    }
}
