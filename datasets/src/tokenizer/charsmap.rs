//! Checks sentencepiece's precompiled character map, because `tokenizers` panics on a malformed map.
//!
//! Layout: a little-endian `u32` with the size of the trie in bytes, the trie (a double array of `u32`), and the
//! replacement texts, each ending in a zero byte.

use crate::error::{Error, Result};

/// Checks that no lookup can leave the array or the replacement texts.
pub(super) fn check(charsmap: &[u8]) -> Result<()> {
    let broken = || Error::Tokenizer("malformed precompiled charsmap in the normalizer".to_owned());
    is_sound(charsmap).filter(|sound| *sound).map(|_| ()).ok_or_else(broken)
}

fn is_sound(charsmap: &[u8]) -> Option<bool> {
    let (size, rest) = charsmap.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (trie, texts) = rest.split_at_checked(size)?;
    let texts = std::str::from_utf8(texts).ok()?;
    let (units, odd) = trie.as_chunks::<4>();
    let units: Vec<u32> = units.iter().copied().map(u32::from_le_bytes).collect();
    Some(odd.is_empty() && walk(&units, texts)?)
}

/// Visits every node that a text can reach. `None` or `false` if a node points outside.
fn walk(units: &[u32], texts: &str) -> Option<bool> {
    let at = |position: usize| units.get(position).copied();
    let children = Children::of(units);
    let mut seen = vec![false; units.len()];
    let mut open = vec![offset(at(0)?)];
    while let Some(base) = open.pop() {
        let seen = seen.get_mut(base)?;
        if std::mem::replace(seen, true) {
            continue;
        }
        // A lookup flips the low eight bits of the base by the next byte of the text.
        at(base | 0xff)?;
        for position in children.at(base) {
            let child = at(position)?;
            let next = position ^ offset(child);
            if has_leaf(child) && !texts.is_char_boundary(value(at(next)?)?) {
                return Some(false);
            }
            open.push(next);
        }
    }
    Some(true)
}

/// The units that a lookup accepts at each base: those whose label is the byte that leads to them. As lists, because most of
/// the 255 bytes lead nowhere.
struct Children {
    first: Vec<Option<usize>>,
    next: Vec<Option<usize>>,
}

impl Children {
    fn of(units: &[u32]) -> Self {
        let mut children = Self { first: vec![None; units.len()], next: vec![None; units.len()] };
        for (position, next) in children.next.iter_mut().enumerate() {
            let byte = units.get(position).copied().map_or(0, label);
            if (1..=0xff).contains(&byte)
                && let Some(first) = children.first.get_mut(position ^ byte as usize)
            {
                *next = first.replace(position);
            }
        }
        children
    }

    fn at(&self, base: usize) -> impl Iterator<Item = usize> {
        let next = |position: &usize| self.next.get(*position).copied().flatten();
        std::iter::successors(self.first.get(base).copied().flatten(), next)
    }
}

fn has_leaf(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

fn value(unit: u32) -> Option<usize> {
    usize::try_from(unit & 0x7fff_ffff).ok()
}

fn label(unit: u32) -> u32 {
    unit & 0x8000_00ff
}

fn offset(unit: u32) -> usize {
    (unit >> 10 << ((unit & 1 << 9) >> 6)) as usize
}
