//! A mapped file is checked where it is read, when it is read.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::MANIFEST;
use super::blocks::{BLOCK, DIGITS};
use super::check::{entry_of, refuse};
use crate::Error;

/// Checks a mapped file against the manifest that lists it: a short file at once, each block of a long one when it is read first.
///
/// A file that no manifest lists is not checked.
#[derive(Debug)]
pub struct MappedChecks {
    path: PathBuf,
    /// Empty if there is nothing left to check.
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    crc: u32,
    is_checked: AtomicBool,
}

impl MappedChecks {
    /// The checks for the file at `path`, whose content is `mapped`.
    ///
    /// # Errors
    /// [`Error`] naming the file if it differs already, or the manifest if that is damaged.
    pub fn new(path: impl AsRef<Path>, mapped: &[u8]) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut checks = Self { path: path.to_path_buf(), blocks: Vec::new() };
        let Some(entry) = entry_of(path)? else { return Ok(checks) };
        let length = mapped.len() as u64;
        match &entry.crc32c_blocks {
            Some(blocks) if entry.before.is_none() => {
                if length != entry.bytes {
                    let reason = format!("{length} bytes; {MANIFEST} says {}", entry.bytes);
                    return Err(refuse(path, &reason));
                }
                let damaged = || refuse(path, &format!("{MANIFEST} does not hold one CRC-32C for each block of it"));
                checks.blocks = parse(blocks, mapped.len()).ok_or_else(damaged)?;
            }
            _ => {
                if let Some(reason) = entry.crc_refusal(length, crc32c::crc32c(mapped)) {
                    return Err(refuse(path, &reason));
                }
            }
        }
        Ok(checks)
    }

    /// Checks the blocks of `mapped` that hold the bytes of `range`, as far as they have not been checked before.
    ///
    /// # Errors
    /// [`Error`] naming the file if one of them differs.
    pub fn check(&self, mapped: &[u8], range: Range<usize>) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        let (first, end) = (range.start / BLOCK, range.end.div_ceil(BLOCK));
        let Some(blocks) = self.blocks.get(first..end.min(self.blocks.len())) else { return Ok(()) };
        for (number, block) in (first..).zip(blocks) {
            if block.is_checked.load(Ordering::Relaxed) {
                continue;
            }
            let bytes = mapped.chunks(BLOCK).nth(number).unwrap_or_default();
            let crc = crc32c::crc32c(bytes);
            if crc != block.crc {
                let (at, expected) = (number * BLOCK, block.crc);
                let reason = format!("CRC-32C of block at byte {at} is {crc:08x}; {MANIFEST} says {expected:08x}");
                return Err(refuse(&self.path, &reason));
            }
            block.is_checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The blocks of a file of `length` bytes out of their digits.
fn parse(digits: &str, length: usize) -> Option<Vec<Block>> {
    if digits.len() != length.div_ceil(BLOCK) * DIGITS {
        return None;
    }
    let crc = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let block = |digits| Some(Block { crc: crc(digits)?, is_checked: AtomicBool::new(false) });
    digits.as_bytes().chunks(DIGITS).map(block).collect()
}
