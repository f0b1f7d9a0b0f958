//! A pair without its memory.

use super::Pair;

/// Source and target of a sentence, wherever their ids lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairView<'a> {
    /// What the encoder reads.
    pub source: &'a [u32],
    /// What the decoder is to write.
    pub target: &'a [u32],
    /// Whether words were lost at the end of the source.
    pub source_truncated: bool,
    /// Whether tags were lost at the end of the target.
    pub target_truncated: bool,
}

/// What can be seen as a pair: a [`Pair`], a [`PairView`], and references to them.
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
