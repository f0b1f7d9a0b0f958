//! Feeding rows of different lengths.

use candle_core::{DType, Tensor};
use peft_core::{ActiveAdapters, Ctx};

use super::{Encoded, Keys, PackedKvCache, PackedTerms, Place, Places, Read};
use crate::Result;
use crate::T5;
use crate::block::{Block, PackedMemory};

/// What one row is fed in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedTokens<'a> {
    /// The row of the cache.
    pub row: usize,
    /// Its next tokens: as many as it likes.
    pub tokens: &'a [u32],
}

impl T5 {
    /// Begins to decode `encoded` sentences, in `rows` rows each: row `i` of the cache reads sentence `i / rows`. The keys and
    /// values of cross-attention are computed here, once; those of a model in [eight bits](Self::quantize) are `bf16`, which
    /// halves what each step reads, except where a method tells rows apart or puts keys in front of others. The buffers have room
    /// for `capacity` tokens a row and grow where that is too little.
    ///
    /// # Errors
    /// If a shape does not fit; or as the active methods do.
    pub fn start_packed(
        &self,
        encoded: &Encoded,
        active: &ActiveAdapters<'_>,
        rows: usize,
        capacity: usize,
        ctx: &mut Ctx,
    ) -> Result<PackedKvCache> {
        let (hidden, sentences) = (encoded.hidden(), encoded.terms()?);
        let narrow = self.decoder.takes_rows(active);
        let memory = |block: &Block| {
            let memory = block.memory(hidden, active, ctx)?;
            memory
                .map(|memory| if narrow && block.is_int8() { memory.to_dtype(DType::BF16) } else { Ok(memory) })
                .transpose()
        };
        let memories = self.decoder.blocks.iter().map(memory).collect::<Result<Vec<_>>>()?;
        let bias = self.decoder.bias.offsets(capacity, 0)?;
        let source = sentences.longest();
        let cross = self.cross_bias.as_ref().map(|bias| bias.offsets(capacity, source)).transpose()?;
        PackedKvCache::new(memories.into_iter().flatten().collect(), sentences, rows, capacity, bias, cross)
    }

    /// Feeds some rows their next tokens. The decoder's output is computed where it is `read` alone, places among the tokens
    /// of all of `next`, one row behind the other: `[read, d]`, as [`decode`](Self::decode) would give it at these positions
    /// for the whole sentences of each row.
    ///
    /// All tokens go through the network together, except where a method acts that tells rows apart or puts keys in front
    /// of others: then one token a row at a time, as in [`decode_step`](Self::decode_step).
    ///
    /// # Errors
    /// If a row does not exist, or nothing is fed where something is read; otherwise as [`decode`](Self::decode).
    pub fn decode_packed(
        &self,
        next: &[PackedTokens<'_>],
        read: &[u32],
        cache: &mut PackedKvCache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        if !self.decoder.takes_rows(active) {
            return self.decode_columns(next, read, cache, active, ctx);
        }
        let tokens: Vec<u32> = next.iter().flat_map(|next| next.tokens).copied().collect();
        let mut places = Vec::with_capacity(tokens.len());
        for next in next {
            places.extend(cache.advance(next.row, next.tokens.len())?.map(Some));
        }
        let reads_all = (0..tokens.len() as u32).eq(read.iter().copied());
        let tokens = Tensor::new(tokens, self.device())?.unsqueeze(0)?;
        let places = Places(places);
        let some = if reads_all { None } else { Some(Read::new(read, &places, self.device())?) };
        Ok(self.pass(&tokens, &places, some.as_ref(), cache, active, ctx)?.squeeze(0)?)
    }

    /// The same, one token of each row at a time: every row of the cache has its row in each pass.
    fn decode_columns(
        &self,
        next: &[PackedTokens<'_>],
        read: &[u32],
        cache: &mut PackedKvCache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let rows = cache.lens().len();
        let columns = next.iter().map(|next| next.tokens.len()).max().unwrap_or_default();
        let mut passes = Vec::with_capacity(columns);
        for column in 0..columns {
            let mut tokens = vec![self.config().pad_token_id; rows];
            let mut places: Vec<Option<Place>> = vec![None; rows];
            for next in next {
                if let Some(&token) = next.tokens.get(column) {
                    let place = cache.advance(next.row, 1)?.next();
                    if let (Some(id), Some(slot)) = (tokens.get_mut(next.row), places.get_mut(next.row)) {
                        (*id, *slot) = (token, place);
                    }
                }
            }
            let tokens = Tensor::from_vec(tokens, (rows, 1), self.device())?;
            passes.push(self.pass(&tokens, &Places(places), None, cache, active, ctx)?.squeeze(1)?);
        }
        let at =
            |&PackedTokens { row, tokens }: &PackedTokens<'_>| (0..tokens.len()).map(move |column| column * rows + row);
        let order: Vec<u32> = next.iter().flat_map(at).map(|at| at as u32).collect();
        let order = Tensor::new(order, self.device())?.index_select(&Tensor::new(read, self.device())?, 0)?;
        Ok(Tensor::cat(&passes, 0)?.index_select(&order, 0)?)
    }

    /// One pass of `tokens [b, l]` at `places`, to `[b, l, d]`, or to what is read of it.
    fn pass(
        &self,
        tokens: &Tensor,
        places: &Places,
        read: Option<&Read>,
        cache: &mut PackedKvCache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let end = places.end();
        if !cache.bias.reaches(end) {
            cache.bias = self.decoder.bias.offsets(2 * end, 0)?;
        }
        if let (Some(bias), Some(offsets)) = (&self.cross_bias, &mut cache.cross_bias)
            && !offsets.reaches(end)
        {
            *offsets = bias.offsets(2 * end, offsets.ahead())?;
        }
        let PackedKvCache { layers, rows, sentences, bias, cross_bias, .. } = cache;
        let relative = Some(&self.decoder.bias);
        let own = PackedTerms { places, keys: Keys::Own { more: 0 }, bias: Some(bias), later: 0, mask: &[], relative };
        let keys = sentences.keys(*rows);
        let cross = PackedTerms { keys, bias: cross_bias.as_ref(), mask: sentences.mask(), relative: None, ..own };
        let mut h = self.embed(tokens, ctx)?;
        let last = layers.len().saturating_sub(1);
        for (i, (block, (past, memory))) in self.decoder.blocks.iter().zip(layers).enumerate() {
            let memory = Some(PackedMemory { key_values: memory, terms: &cross });
            // Behind the last block's keys and values nobody needs the tokens that are not read.
            let read = read.filter(|_| i == last);
            h = block.forward_packed(&h, &own, Some(past), memory, read, active, ctx)?;
        }
        self.output(&h, active, ctx)
    }
}

#[cfg(test)]
mod tests;
