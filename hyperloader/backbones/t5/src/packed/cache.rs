//! The keys and values of rows that are decoded, each at its own pace.

use peft_core::layers::KeyValues;
use peft_kernels::{OffsetBias, TokenPosition, transfer};

use super::encoded::Sentences;
use super::grid::Grid;
use super::past::PackedPast;
use crate::error::{Error, Result};

/// Keys and values of all decoder blocks, with a length for each row.
///
/// A row that is not fed costs nothing. A row that was fed too much is cut back with [`truncate`](Self::truncate): what
/// follows its length is never read. The rows of one sentence (its hypotheses) follow each other and share the encoder's
/// output. The cache cannot be cloned, because its buffers are written in place.
#[derive(Debug)]
pub struct PackedKvCache {
    pub(crate) past: Past,
    lens: Vec<usize>,
    sentences: usize,
}

/// Where keys and values are.
#[derive(Debug)]
pub(crate) enum Past {
    /// On the CPU, where each row is written and read by itself.
    Packed(PackedBlocks),
    /// On a device, where rows are written and read together.
    Grid(Grid),
}

/// Those of a cache on the CPU.
#[derive(Debug)]
pub(crate) struct PackedBlocks {
    pub(crate) layers: Vec<(PackedPast, KeyValues)>,
    /// Rows of one sentence.
    pub(crate) rows: usize,
    /// Where each sentence's keys are in the encoder's output.
    pub(crate) sentences: Sentences,
    /// The biases of self-attention and of cross-attention, by offset.
    pub(crate) biases: (OffsetBias, Option<OffsetBias>),
}

impl PackedKvCache {
    /// An empty cache of `rows` rows for each of the `sentences` whose keys and values are `memories`, one for each block.
    pub(crate) fn new(
        memories: Vec<KeyValues>,
        sentences: Sentences,
        (rows, capacity): (usize, usize),
        biases: (OffsetBias, Option<OffsetBias>),
    ) -> Result<Self> {
        let (own, count) = (sentences.count(), sentences.count() * rows);
        let past = |memory: KeyValues| -> Result<(PackedPast, KeyValues)> {
            Ok((PackedPast::new(&memory, count, capacity)?, memory))
        };
        let layers = memories.into_iter().map(past).collect::<Result<_>>()?;
        let past = Past::Packed(PackedBlocks { layers, rows, sentences, biases });
        Ok(Self { past, lens: vec![0; count], sentences: own })
    }

    /// An empty cache on a device, for so many sentences.
    pub(crate) fn of_grid(grid: Grid, sentences: usize) -> Self {
        Self { lens: vec![0; grid.rows()], past: Past::Grid(grid), sentences }
    }

    /// How many target tokens each row holds.
    pub fn lens(&self) -> &[usize] {
        &self.lens
    }

    /// Forgets what row `row` holds after its first `len` tokens.
    pub fn truncate(&mut self, row: usize, len: usize) {
        if let Some(own) = self.lens.get_mut(row) {
            *own = len.min(*own);
        }
    }

    /// Replaces what was decoded: row `i` holds what row `origins[i]` held, a row of the same sentence. There may be more or
    /// fewer rows than before, equally many for each sentence.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a row does not exist, or the rows cannot be shared out among the sentences.
    pub fn select(&mut self, origins: &[u32]) -> Result<()> {
        self.rearrange(None, origins)
    }

    /// Keeps the sentences numbered `sentences`, in that order, with the rows `origins`: what [`select`](Self::select) does,
    /// where the other sentences leave the batch.
    ///
    /// # Errors
    /// As [`select`](Self::select), and if a sentence does not exist.
    pub fn retain(&mut self, sentences: &[u32], origins: &[u32]) -> Result<()> {
        if let Some(missing) = sentences.iter().find(|sentence| **sentence as usize >= self.sentences) {
            let count = self.sentences;
            return Err(Error::Mismatch(format!("the cache has {count} sentences, not sentence {missing}")));
        }
        self.rearrange(Some(sentences).filter(|kept| kept.len() < self.sentences), origins)
    }

    fn rearrange(&mut self, kept: Option<&[u32]>, origins: &[u32]) -> Result<()> {
        let before = self.lens.len();
        let same = origins.len() == before && (0..).zip(origins).all(|(row, origin)| row == *origin);
        if kept.is_none() && same {
            return Ok(());
        }
        let sentences = kept.map_or(self.sentences, <[u32]>::len);
        if !origins.len().is_multiple_of(sentences.max(1)) {
            return Err(Error::Mismatch(format!(
                "{} rows are not equally many for {sentences} sentences",
                origins.len()
            )));
        }
        let len =
            |&origin: &u32| self.lens.get(origin as usize).copied().ok_or_else(|| missing(before, origin as usize));
        self.lens = origins.iter().map(len).collect::<Result<_>>()?;
        self.sentences = sentences;
        match &mut self.past {
            Past::Packed(packed) => packed.select(kept, origins),
            Past::Grid(grid) => grid.select(kept, origins),
        }
    }

    /// Makes `count` more tokens of row `row` count, and says where they go.
    pub(crate) fn advance(&mut self, row: usize, count: usize) -> Result<impl Iterator<Item = TokenPosition> + use<>> {
        let rows = self.lens.len();
        let len = self.lens.get_mut(row).ok_or_else(|| missing(rows, row))?;
        let first = *len;
        *len += count;
        Ok((first..*len).map(move |position| TokenPosition { row, position }))
    }
}

impl PackedBlocks {
    fn select(&mut self, kept: Option<&[u32]>, origins: &[u32]) -> Result<()> {
        let Some((_, first)) = self.layers.first() else { return Ok(()) };
        let device = first.keys.device().clone();
        if let Some(kept) = kept {
            self.sentences = self.sentences.select(kept)?;
            if let Sentences::Padded { .. } = self.sentences {
                let kept = transfer::upload(kept.to_vec(), kept.len(), &device)?;
                for (_, memory) in &mut self.layers {
                    *memory = memory.select_rows(&kept)?;
                }
            }
        }
        self.rows = origins.len() / self.sentences.count().max(1);
        let origins = transfer::upload(origins.to_vec(), origins.len(), &device)?;
        for (past, _) in &mut self.layers {
            past.0 = past.0.select_rows(&origins)?;
        }
        Ok(())
    }
}

fn missing(rows: usize, row: usize) -> Error {
    Error::Mismatch(format!("the cache has {rows} rows, not row {row}"))
}
