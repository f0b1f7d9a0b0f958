//! Borrowed pairs.

use super::sentinel::Pair;

/// The source and target of a sentence, borrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairView<'a> {
    /// What the encoder reads.
    pub source: &'a [u32],
    /// What the decoder should write.
    pub target: &'a [u32],
    /// Whether words at the end of the source were cut off.
    pub source_truncated: bool,
    /// Whether tags at the end of the target were cut off.
    pub target_truncated: bool,
}

/// Types that can be borrowed as a pair: [`Pair`], [`PairView`], and references to them.
pub trait AsPair {
    /// The pair.
    fn as_pair(&self) -> PairView<'_>;
}

impl AsPair for Pair {
    fn as_pair(&self) -> PairView<'_> {
        PairView {
            source: &self.source,
            target: &self.target,
            source_truncated: self.source_truncated,
            target_truncated: self.target_truncated,
        }
    }
}

impl AsPair for PairView<'_> {
    fn as_pair(&self) -> PairView<'_> {
        *self
    }
}

impl<P: AsPair + ?Sized> AsPair for &P {
    fn as_pair(&self) -> PairView<'_> {
        (**self).as_pair()
    }
}
