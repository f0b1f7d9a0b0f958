//! The same attention by candle's own operations: any device, any float type, and the specification of the fused one.

use candle_core::Tensor;
use peft_kernels as ops;

use super::{PackedTerms, Place};
use crate::Result;
use crate::attention::KeyValues;

/// A score far below all others, so that `exp` of it is exactly 0.
const UNSEEN: f32 = -1e9;

pub(super) fn attention(q: &Tensor, memory: &KeyValues, heads: usize, terms: &PackedTerms<'_>) -> Result<Tensor> {
    let (_, all, width) = memory.keys.dims3()?;
    let (tokens, d, device) = (terms.places.0.len(), width / heads, q.device());
    let seen = |place: &Option<Place>| place.map_or(0..0, |place| terms.seen(place, all));
    let most = terms.places.0.iter().map(|place| seen(place).len()).max().unwrap_or_default().max(1);
    // For each token as many keys as one sees at most: its own, then others, which are masked.
    let mut keys = Vec::with_capacity(tokens * most);
    let mut added = Vec::with_capacity(tokens * heads * most);
    let mut kept = Vec::with_capacity(tokens);
    for place in &terms.places.0 {
        let own = seen(place);
        keys.extend((0..most).map(|key| if key < own.len() { (own.start + key) as u32 } else { 0 }));
        for head in 0..heads {
            let mut scores = vec![0f32; most];
            let (own, others) = scores.split_at_mut(own.len());
            if let Some(place) = place {
                terms.add(own, *place, head);
            }
            others.fill(UNSEEN);
            added.extend(scores);
        }
        kept.push(if place.is_some() { 1f32 } else { 0. });
    }
    let keys = Tensor::from_vec(keys, tokens * most, device)?;
    let added = Tensor::from_vec(added, (tokens, heads, 1, most), device)?.to_dtype(q.dtype())?;
    let kept = Tensor::from_vec(kept, (tokens, 1), device)?.to_dtype(q.dtype())?;
    // [tokens, heads, most, d]: every token has a copy of its keys.
    let of_tokens = |x: &Tensor| -> Result<Tensor> {
        let x = x.contiguous()?.flatten(0, 1)?.index_select(&keys, 0)?.to_dtype(q.dtype())?;
        Ok(x.reshape((tokens, most, heads, d))?.transpose(1, 2)?.contiguous()?)
    };
    let queries = q.contiguous()?.reshape((tokens, heads, 1, d))?;
    let scores = queries.matmul(&of_tokens(&memory.keys)?.t()?.contiguous()?)?.broadcast_add(&added)?;
    let found = ops::softmax_plain(&scores)?.matmul(&of_tokens(&memory.values)?)?.reshape((tokens, width))?;
    Ok(found.broadcast_mul(&kept)?.reshape(q.shape())?)
}
