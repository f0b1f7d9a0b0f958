//! The ids of a whole corpus.

use super::view::{AsPair, PairView};

/// The pairs of a corpus. All source ids share one buffer, and all target ids another: no allocation per sentence.
///
/// ```
/// use datasets::encode::{Pair, Pairs};
///
/// let pair = Pair { source: vec![5, 6, 1], target: vec![7, 1], ..Pair::default() };
/// let pairs: Pairs = [Pair::default(), pair].iter().collect();
/// assert_eq!(pairs.get(1).map(|pair| pair.source), Some(&[5, 6, 1][..]));
/// assert_eq!(pairs.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    pub(super) source: Side,
    pub(super) target: Side,
}

/// One side of all pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// The ids of all sentences.
    pub(super) ids: Vec<u32>,
    /// Where each sentence ends in `ids`.
    pub(super) ends: Vec<usize>,
    /// Whether the end of each sentence was cut off.
    pub(super) truncated: Vec<bool>,
}

impl Side {
    fn push(&mut self, ids: &[u32], truncated: bool) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
        self.truncated.push(truncated);
    }

    fn get(&self, index: usize) -> Option<(&[u32], bool)> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let end = *self.ends.get(index)?;
        Some((self.ids.get(start..end)?, *self.truncated.get(index)?))
    }
}

impl Pairs {
    /// The number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.source.ends.len()
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pair at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<PairView<'_>> {
        let (source, source_truncated) = self.source.get(index)?;
        let (target, target_truncated) = self.target.get(index)?;
        Some(PairView { source, target, source_truncated, target_truncated })
    }

    /// All pairs, in their order.
    pub fn iter(&self) -> impl Iterator<Item = PairView<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<P: AsPair> FromIterator<P> for Pairs {
    fn from_iter<I: IntoIterator<Item = P>>(pairs: I) -> Self {
        let mut all = Self::default();
        for pair in pairs {
            let pair = pair.as_pair();
            all.source.push(pair.source, pair.source_truncated);
            all.target.push(pair.target, pair.target_truncated);
        }
        all
    }
}
