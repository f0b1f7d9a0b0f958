//! The sentences that are still being written.

use candle_core::Tensor;
use peft_core::{ActiveAdapters, Ctx};

use super::source::Source;
use crate::decode_packed::{CacheSize, PackedStep, PackedTokens};
use crate::error::Result;
use crate::packed::PackedKvCache;

/// Target tokens that a row has room for at first: little, because beams copy their rows at every step.
const CAPACITY: usize = 16;

/// Rows that are fed one token a step: equally many for each sentence, one at first.
pub(super) struct Batch<'a> {
    source: Source<'a>,
    ctx: Ctx,
    cache: PackedKvCache,
    /// What acts on the rows.
    active: ActiveAdapters<'a>,
    /// The number of each row's sentence in the source.
    sentences: Vec<u32>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(source: &Source<'a>) -> Result<Self> {
        let mut ctx = source.ctx();
        let size = CacheSize { rows: 1, capacity: CAPACITY };
        let cache = source.t5.start_packed(source.encoded, source.active, size, &mut ctx)?;
        let sentences = (0..).take(source.encoded.sentences()).collect();
        Ok(Self { source: *source, ctx, cache, active: source.active.clone(), sentences })
    }

    /// The number of each row's sentence in the source.
    pub(super) fn sentences(&self) -> &[u32] {
        &self.sentences
    }

    /// The scores of all words after each row was fed its token of `next`, `[rows, V]`.
    pub(super) fn logits(&mut self, next: &[u32]) -> Result<Tensor> {
        let fed: Vec<PackedTokens<'_>> =
            next.chunks(1).enumerate().map(|(row, tokens)| PackedTokens { row, tokens }).collect();
        let read: Vec<u32> = (0..).take(fed.len()).collect();
        let step = PackedStep { rows: &fed, read: &read };
        let hidden = self.source.t5.decode_packed(&step, &mut self.cache, &self.active, &mut self.ctx)?;
        Ok(self.source.t5.logits(&hidden.unsqueeze(1)?, &self.active, &mut self.ctx)?.squeeze(1)?)
    }

    /// Keeps the sentences numbered `kept` among those that are left: row `i` goes on with what row `origins[i]` holds.
    pub(super) fn retain(&mut self, kept: &[u32], origins: &[u32]) -> Result<()> {
        let sentence = |row: &u32| self.sentences.get(*row as usize).copied();
        let sentences: Vec<u32> = origins.iter().filter_map(sentence).collect();
        if !sentences.is_empty() {
            self.cache.retain(kept, origins)?;
            // Beams are exchanged at every step, but within a sentence, where all use the same adapters.
            if sentences != self.sentences {
                self.active = self.source.active.select_rows(&sentences)?;
            }
        }
        self.sentences = sentences;
        Ok(())
    }
}
