//! One part of several.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;

use crate::{Error, Result};

/// One of `count` parts, counted from 0.
///
/// ```
/// use hyperloader::shards::Shard;
/// let lengths: Vec<u64> = Shard::all(4)?.map(|shard| shard.range(10)).map(|range| range.end - range.start).collect();
/// assert_eq!(lengths, [2, 3, 2, 3]);
/// # Ok::<(), hyperloader::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: NonZeroUsize,
}

impl Shard {
    /// Part `index` of `count`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such part.
    pub fn new(index: usize, count: usize) -> Result<Self> {
        match NonZeroUsize::new(count) {
            Some(count) if index < count.get() => Ok(Self { index, count }),
            Some(_) => Err(Error::Config(format!(
                "there is no shard {index} of {count}: they are counted from 0, so the last is {}/{count}",
                count - 1
            ))),
            None => Err(Error::Config("0 shards; give at least 1".into())),
        }
    }

    /// All parts of `count`.
    ///
    /// # Errors
    /// [`Error::Config`] if `count` is 0.
    pub fn all(count: usize) -> Result<impl Iterator<Item = Self>> {
        let first = Self::new(0, count)?;
        Ok((0..count).map(move |index| Self { index, ..first }))
    }

    /// Its number, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// The number of parts.
    pub fn count(self) -> usize {
        self.count.get()
    }

    /// Its part of `length` things: from `⌊length · index / count⌋` to `⌊length · (index + 1) / count⌋`. All parts together are all
    /// things, and two parts differ by one at most.
    pub fn range(self, length: u64) -> Range<u64> {
        // The product has up to 128 bits; the quotient is at most `length`.
        let cut = |index: usize| (u128::from(length) * index as u128 / self.count.get() as u128) as u64;
        cut(self.index)..cut(self.index + 1)
    }

    /// Its part of `all`.
    pub fn of<T>(self, all: &[T]) -> &[T] {
        let Range { start, end } = self.range(all.len() as u64);
        all.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The name of its file, without an ending: `part-00003-of-00016`. The names of all parts sort as the parts do.
    pub fn file_stem(self) -> String {
        format!("part-{:05}-of-{:05}", self.index, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn parts_follow_each_other_also_where_there_are_more_of_them_than_things() {
        for (length, count) in [(0, 3), (1, 4), (7, 16), (100, 7), (u64::MAX, 999)] {
            let ranges: Vec<_> = Shard::all(count).unwrap().map(|shard| shard.range(length)).collect();
            assert_eq!((ranges.first().unwrap().start, ranges.last().unwrap().end), (0, length));
            assert!(ranges.windows(2).all(|two| two.first().unwrap().end == two.last().unwrap().start));
            let sizes = ranges.iter().map(|range| range.end - range.start);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{length} in {count}");
        }
        assert_eq!(Shard::new(1, 3).unwrap().of(&["a", "b", "c", "d"]), ["b"]);
    }

    #[test]
    fn a_part_that_is_not_there_is_refused() {
        let message = Shard::new(16, 16).unwrap_err().to_string();
        assert!(message.contains("no shard 16 of 16") && message.contains("15/16"), "{message}");
        assert!(Shard::new(0, 0).is_err());
    }
}
