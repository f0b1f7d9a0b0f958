//! Decoding token by token with a key-value cache.

use candle_core::Tensor;
use peft_core::{ActiveAdapters, Ctx};

use super::block::{Block, Memory};
use super::{Cache, T5, mask};
use crate::Result;

impl T5 {
    /// Begins to decode sentences whose encoder output is `encoded [b, s, d]` with its `mask [b, s]`: the keys and values
    /// of cross-attention are computed here, once. The cache takes up to `capacity` target tokens a sentence.
    ///
    /// # Errors
    /// If a shape does not fit; or as the active methods do.
    pub fn start_cache(
        &self,
        encoded: &Tensor,
        mask: &Tensor,
        active: &ActiveAdapters<'_>,
        capacity: usize,
        ctx: &mut Ctx,
    ) -> Result<Cache> {
        let padding = mask::padding(&mask::with_front(mask, encoded.dim(1)?)?, encoded.dtype())?;
        let memory = |block: &Block| block.memory(encoded, active, ctx);
        let memories = self.decoder.blocks.iter().map(memory).collect::<Result<Vec<_>>>()?;
        Ok(Cache::new(padding, memories.into_iter().flatten(), capacity))
    }

    /// The decoder's output for the next `n` target tokens of each sentence, `tokens [b, n]` to `[b, n, d]`, as
    /// [`decode`](Self::decode) would give it at these positions for the whole sentences. (Not so for methods whose weights
    /// act through all queries of a call, such as gates, and for [`PrefixPlacement::UncountedPast`](peft_core::PrefixPlacement::UncountedPast).)
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the cache is full; otherwise as [`decode`](Self::decode).
    pub fn decode_step(
        &self,
        tokens: &Tensor,
        cache: &mut Cache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let (rows, queries) = tokens.dims2()?;
        let span = cache.advance(queries)?;
        let terms = self.decoder.causal_terms(span.first, queries, span.room, ctx)?.in_steps();
        let beams = rows / cache.padding().dim(0)?.max(1);
        let cross_terms = self.cross_terms(cache.padding(), span.first, queries, beams, ctx)?;
        let mut h = self.embed(tokens, ctx)?;
        for (block, layer) in self.decoder.blocks.iter().zip(cache.layers_mut()) {
            let memory = Memory { key_values: &layer.memory, terms: &cross_terms };
            h = block.forward(&h, &terms, Some((&mut layer.past, span)), Some(memory), active, ctx)?;
        }
        self.output(&h, active, ctx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;
    use crate::shift_right;
    use crate::testing::{self, batch, configs, everywhere, largest_difference, scaled};

    const CPU: &Device = &Device::Cpu;

    #[test]
    fn decoding_step_by_step_equals_decoding_at_once() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (plan, weights) = scaled(&t5, everywhere());
            let (active, mut ctx) = (ActiveAdapters::new(&plan, &weights).unwrap(), Ctx::eval());
            let (ids, mask, labels) = batch();
            let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
            let decoder_ids = shift_right(&labels, 0).unwrap();
            let whole = t5.decode(&decoder_ids, &encoded, &mask, &active, &mut ctx).unwrap();

            let len = decoder_ids.dim(1).unwrap();
            let mut cache = t5.start_cache(&encoded, &mask, &active, len, &mut ctx).unwrap();
            let mut first = 0;
            for n in [1, 2, 1, len - 4] {
                let tokens = decoder_ids.narrow(1, first, n).unwrap();
                let step = t5.decode_step(&tokens, &mut cache, &active, &mut ctx).unwrap();
                assert!(largest_difference(&step, &whole.narrow(1, first, n).unwrap()) < 1e-5, "{config:?} {first}");
                first += n;
            }
            let more = decoder_ids.narrow(1, 0, 1).unwrap();
            let error = t5.decode_step(&more, &mut cache, &active, &mut ctx).unwrap_err().to_string();
            assert_eq!(error, format!("the cache holds {len} of {len} tokens: 1 more do not fit"));
        }
    }

    #[test]
    fn a_cache_follows_its_rows() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (none, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
            let (ids, mask, labels) = batch();
            let encoded = t5.encode(&ids, &mask, &none, &mut ctx).unwrap();
            let decoder_ids = shift_right(&labels, 0).unwrap();
            let whole = t5.decode(&decoder_ids, &encoded, &mask, &none, &mut ctx).unwrap();
            let part = |t: &Tensor, first, n| t.narrow(1, first, n).unwrap().contiguous().unwrap();
            let (at, end, expected) = (part(&decoder_ids, 0, 3), part(&decoder_ids, 3, 1), part(&whole, 3, 1));

            let mut cache = t5.start_cache(&encoded, &mask, &none, 8, &mut ctx).unwrap();
            t5.decode_step(&at, &mut cache, &none, &mut ctx).unwrap();
            let kept = Tensor::new(&[2u32, 0], CPU).unwrap();
            cache.select_rows(&kept).unwrap();
            let step = t5.decode_step(&end.index_select(&kept, 0).unwrap(), &mut cache, &none, &mut ctx).unwrap();
            assert!(largest_difference(&step, &expected.index_select(&kept, 0).unwrap()) < 1e-5);

            let mut cache = t5.start_cache(&encoded, &mask, &none, 8, &mut ctx).unwrap();
            t5.decode_step(&at, &mut cache, &none, &mut ctx).unwrap();
            let beams = Tensor::new(&[0u32, 0, 1, 1, 2, 2], CPU).unwrap();
            cache.select_beams(&beams).unwrap();
            let step = t5.decode_step(&end.index_select(&beams, 0).unwrap(), &mut cache, &none, &mut ctx).unwrap();
            assert!(largest_difference(&step, &expected.index_select(&beams, 0).unwrap()) < 1e-5);
        }
    }
}
