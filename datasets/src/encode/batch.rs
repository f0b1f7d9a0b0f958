//! Pairs of one batch, padded to the longest.

use super::view::AsPair;

/// The sizes of a [`Batch`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchShape {
    /// The number of pairs, B.
    pub batch: usize,
    /// The length of the longest source, S.
    pub source_length: usize,
    /// The length of the longest target, T.
    pub target_length: usize,
}

/// Padded pairs. Each array is row-major, with one row per pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Source ids, `[B, S]`.
    pub source: Vec<u32>,
    /// 1 where `source` is an id, 0 where it is padding, `[B, S]`.
    pub source_mask: Vec<u32>,
    /// Target ids, `[B, T]`, with the id of `<pad>` as padding, which the loss ignores.
    pub target: Vec<u32>,
    /// B, S and T.
    pub shape: BatchShape,
}

/// Collates pairs (owned, borrowed or views) into one batch. `pad` is the id of the tokenizer's `<pad>`, 0 in T5.
pub fn collate<P: AsPair>(pairs: &[P], pad: u32) -> Batch {
    let sources = || pairs.iter().map(|pair| pair.as_pair().source);
    let targets = || pairs.iter().map(|pair| pair.as_pair().target);
    let shape = BatchShape { batch: pairs.len(), source_length: longest(sources()), target_length: longest(targets()) };
    let mut batch = Batch { shape, ..Batch::default() };
    for source in sources() {
        let padding = shape.source_length - source.len();
        batch.source.extend_from_slice(source);
        batch.source.extend(std::iter::repeat_n(pad, padding));
        batch.source_mask.extend(std::iter::repeat_n(1, source.len()));
        batch.source_mask.extend(std::iter::repeat_n(0, padding));
    }
    for target in targets() {
        batch.target.extend_from_slice(target);
        batch.target.extend(std::iter::repeat_n(pad, shape.target_length - target.len()));
    }
    batch
}

fn longest<'a>(rows: impl Iterator<Item = &'a [u32]>) -> usize {
    rows.map(<[u32]>::len).max().unwrap_or_default()
}
