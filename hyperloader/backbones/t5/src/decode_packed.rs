//! Feeds the decoder tokens of several rows, each row as many as it likes, at its own positions.

use candle_core::{DType, Tensor};
use peft_core::{ActiveAdapters, Ctx};
use peft_kernels::{PackedKeys, TokenPosition, TokenPositions, transfer};

use crate::block::{Block, PackedLayer};
use crate::error::{Error, Result};
use crate::mask;
use crate::model::T5;
use crate::packed::{Cells, Encoded, Grid, PackedBlocks, PackedKvCache, PackedTerms, Past, Read};
use peft_core::layers::Run;

/// What one row is fed in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedTokens<'a> {
    /// The row of the cache.
    pub row: usize,
    /// Its next tokens: as many as it likes.
    pub tokens: &'a [u32],
}

/// One step of [`T5::decode_packed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedStep<'a> {
    /// What the rows are fed; a row that is not named is left as it is.
    pub rows: &'a [PackedTokens<'a>],
    /// The tokens whose output is read: their numbers among the tokens of all of `rows`, one row after the other.
    pub read: &'a [u32],
}

/// The size of a [`PackedKvCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSize {
    /// Rows of one sentence.
    pub rows: usize,
    /// Tokens that a row has room for at first. The buffers grow where that is too little.
    pub capacity: usize,
}

impl T5 {
    /// Starts to decode the sentences of `encoded` in `size.rows` rows each: row `i` of the cache reads sentence
    /// `i / size.rows`. The keys and values of cross-attention are computed here, once.
    ///
    /// Those of a model in [eight bits](Self::quantize) are `bf16`, which halves what each step reads, except where a method
    /// tells rows apart or puts keys in front of others.
    ///
    /// On a GPU, sentences must have been encoded there. A step then is one transfer to the device, whatever the number of blocks, rows and
    /// words; with methods that put keys in front of others it is several.
    ///
    /// # Errors
    /// If a shape does not fit; or as the active methods do.
    pub fn start_packed(
        &self,
        encoded: &Encoded,
        active: &ActiveAdapters<'_>,
        size: CacheSize,
        ctx: &mut Ctx,
    ) -> Result<PackedKvCache> {
        let hidden = encoded.hidden();
        let in_grid = ctx.goes_device_way(self.device()) && encoded.ranges().is_none();
        if in_grid && !self.decoder.blocks.iter().any(|block| block.has_prefix(active)) {
            return self.start_grid(encoded, size, &mut Run { active, ctx });
        }
        let sentences = encoded.terms()?;
        let narrow = self.decoder.takes_packed(active);
        let run = &mut Run { active, ctx };
        let memory = |block: &Block| {
            let memory = block.memory(hidden, run)?;
            match memory {
                Some(memory) if narrow && block.is_int8() => Ok(Some(memory.to_dtype(DType::BF16)?)),
                memory => Ok(memory),
            }
        };
        let memories = self.decoder.blocks.iter().map(memory).collect::<Result<Vec<_>>>()?;
        let bias = self.decoder.bias.offsets(size.capacity, 0)?;
        let source = sentences.longest();
        let cross = self.cross_bias.as_ref().map(|bias| bias.offsets(size.capacity, source)).transpose()?;
        let memories = memories.into_iter().flatten().collect();
        PackedKvCache::new(memories, sentences, (size.rows, size.capacity), (bias, cross))
    }

    fn start_grid(&self, encoded: &Encoded, size: CacheSize, run: &mut Run<'_>) -> Result<PackedKvCache> {
        let memories = self.decoder.blocks.iter().map(|block| block.memory(encoded.hidden(), run));
        let memories = memories.filter_map(Result::transpose).collect::<Result<_>>()?;
        let sentences = encoded.sentences();
        let mask = mask::padding(&encoded.mask()?, DType::F32)?;
        let sizes = (self.config().num_heads, sentences * size.rows, size.capacity);
        let grid = Grid::new(memories, mask, sizes, (&self.decoder.bias, self.cross_bias.as_ref()), run.ctx)?;
        Ok(PackedKvCache::of_grid(grid, sentences))
    }

    /// Feeds some rows their next tokens and gives the decoder's output where it is read, `[read, d]`: what
    /// [`decode`](Self::decode) would give at these positions for the whole sentences of each row. (Except for methods that
    /// mix all queries of a call, such as gates of prefixes, and for
    /// [`PrefixPlacement::UncountedPast`](peft_core::PrefixPlacement::UncountedPast).)
    ///
    /// All tokens go through the network together. The exception is a method that tells rows apart or puts keys in front of
    /// others: then `active` must be for the rows of the cache, and one token of every row goes through at a time.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if a row does not exist; an error if something is read and nothing is fed;
    /// otherwise as [`decode`](Self::decode).
    pub fn decode_packed(
        &self,
        step: &PackedStep<'_>,
        cache: &mut PackedKvCache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        if let Past::Grid(_) = cache.past {
            return self.decode_cells(step, cache, &mut Run { active, ctx });
        }
        if !self.decoder.takes_packed(active) {
            return self.decode_columns(step, cache, &mut Run { active, ctx });
        }
        let tokens: Vec<u32> = step.rows.iter().flat_map(|row| row.tokens).copied().collect();
        let mut positions = Vec::with_capacity(tokens.len());
        for PackedTokens { row, tokens } in step.rows {
            positions.extend(cache.advance(*row, tokens.len())?.map(Some));
        }
        let reads_all = (0..tokens.len() as u32).eq(step.read.iter().copied());
        let count = tokens.len();
        let tokens = transfer::upload(tokens, (1, count), self.device())?;
        let positions = TokenPositions(positions);
        let read = if reads_all { None } else { Some(Read::new(step.read, &positions, self.device())?) };
        let pass = Pass { tokens: &tokens, positions: &positions, read: read.as_ref() };
        Ok(self.pass(pass, cache, &mut Run { active, ctx })?.squeeze(0)?)
    }

    /// The same, one token of each row at a time: every row of the cache has its row in each pass.
    fn decode_columns(&self, step: &PackedStep<'_>, cache: &mut PackedKvCache, run: &mut Run<'_>) -> Result<Tensor> {
        let rows = cache.lens().len();
        let columns = step.rows.iter().map(|row| row.tokens.len()).max().unwrap_or_default();
        let mut passes = Vec::with_capacity(columns);
        for column in 0..columns {
            let mut tokens = vec![self.config().pad_token_id; rows];
            let mut positions: Vec<Option<TokenPosition>> = vec![None; rows];
            for next in step.rows {
                if let Some(&token) = next.tokens.get(column) {
                    let position = cache.advance(next.row, 1)?.next();
                    if let (Some(id), Some(slot)) = (tokens.get_mut(next.row), positions.get_mut(next.row)) {
                        (*id, *slot) = (token, position);
                    }
                }
            }
            let tokens = transfer::upload(tokens, (rows, 1), self.device())?;
            let pass = Pass { tokens: &tokens, positions: &TokenPositions(positions), read: None };
            passes.push(self.pass(pass, cache, run)?.squeeze(1)?);
        }
        let at =
            |&PackedTokens { row, tokens }: &PackedTokens<'_>| (0..tokens.len()).map(move |column| column * rows + row);
        let order: Vec<u32> = step.rows.iter().flat_map(at).map(|at| at as u32).collect();
        let read = step.read.iter().map(|token| order.get(*token as usize).copied());
        let read: Vec<u32> = read.collect::<Option<_>>().ok_or_else(|| unknown_token(step.read, order.len()))?;
        let count = read.len();
        Ok(Tensor::cat(&passes, 0)?.index_select(&transfer::upload(read, count, self.device())?, 0)?)
    }

    /// The same on a device: every row of the cache has as many cells as the longest of the step has tokens.
    fn decode_cells(&self, step: &PackedStep<'_>, cache: &mut PackedKvCache, run: &mut Run<'_>) -> Result<Tensor> {
        let columns = step.rows.iter().map(|row| row.tokens.len()).max().unwrap_or_default();
        let mut cells = Cells::new(cache.lens().len(), columns, self.config().pad_token_id);
        for PackedTokens { row, tokens } in step.rows {
            for (column, (position, token)) in cache.advance(*row, tokens.len())?.zip(*tokens).enumerate() {
                cells.add(column, *token, position);
            }
        }
        cells.read(step.read)?;
        let Past::Grid(grid) = &mut cache.past else { return Err(other_cache()) };
        grid.reserve(cells.end(), (&self.decoder.bias, self.cross_bias.as_ref()), run.ctx)?;
        let on_device = grid.step(&cells)?;
        let mut h = self.embed(&on_device.tokens, run.ctx)?;
        for (block, past) in self.decoder.blocks.iter().zip(&grid.blocks) {
            h = block.decode_grid(&h, (past, &on_device), run)?;
        }
        let h = self.output(&h, run)?.flatten_to(1)?;
        Ok(match &on_device.read {
            Some(read) => h.index_select(read, 0)?,
            None => h,
        })
    }

    /// `tokens [b, l]` through all blocks, to `[b, l, d]`, or to what is read of it.
    fn pass(&self, pass: Pass<'_>, cache: &mut PackedKvCache, run: &mut Run<'_>) -> Result<Tensor> {
        let Pass { tokens, positions, read } = pass;
        let end = positions.end();
        let Past::Packed(packed) = &mut cache.past else { return Err(other_cache()) };
        let PackedBlocks { layers, rows, sentences, biases: (bias, cross_bias) } = packed;
        if !bias.reaches(end) {
            *bias = self.decoder.bias.offsets(2 * end, 0)?;
        }
        if let (Some(table), Some(offsets)) = (&self.cross_bias, &mut *cross_bias)
            && !offsets.reaches(end)
        {
            *offsets = table.offsets(2 * end, offsets.ahead())?;
        }
        let own = PackedTerms::new(positions, PackedKeys::Own { prefix: 0 });
        let own = PackedTerms { bias: Some(bias), relative: Some(&self.decoder.bias), ..own };
        let cross = PackedTerms::new(positions, sentences.keys(*rows));
        let cross = PackedTerms { bias: cross_bias.as_ref(), mask: sentences.mask(), ..cross };
        let mut h = self.embed(tokens, run.ctx)?;
        let last = layers.len().saturating_sub(1);
        for (i, (block, (past, memory))) in self.decoder.blocks.iter().zip(layers).enumerate() {
            // After the last block's keys and values nothing needs the tokens that are not read.
            let read = read.filter(|_| i == last);
            let layer = PackedLayer { past, own: &own, memory, cross: &cross, read };
            h = block.decode_packed(&h, layer, run)?;
        }
        self.output(&h, run)
    }
}

fn unknown_token(read: &[u32], count: usize) -> Error {
    Error::Mismatch(format!("the tokens {read:?} are read of {count} tokens"))
}

fn other_cache() -> Error {
    Error::Mismatch("this cache was started for other methods: start one with those that decode".into())
}

/// What goes through the network at once.
struct Pass<'a> {
    /// `[b, l]`
    tokens: &'a Tensor,
    positions: &'a TokenPositions,
    /// The tokens whose output is read; `None`: all.
    read: Option<&'a Read>,
}

#[cfg(test)]
mod tests;
