//! The same attention by candle's own operations: any device, any float type, and the specification of the fused one.

use candle_core::Tensor;
use peft_core::ops;

use super::RowTerms;
use crate::Result;
use crate::t5::attention::KeyValues;

/// A score far below all others, so that `exp` of it is exactly 0.
const UNSEEN: f32 = -1e9;

pub(super) fn attention(q: &Tensor, memory: &KeyValues, heads: usize, terms: &RowTerms<'_>) -> Result<Tensor> {
    let (_, all, width) = memory.keys.dims3()?;
    let (tokens, d, device) = (terms.places.0.len(), width / heads, q.device());
    let mut rows = Vec::with_capacity(tokens);
    let mut added = Vec::with_capacity(tokens * heads * all);
    let mut kept = Vec::with_capacity(tokens);
    for place in &terms.places.0 {
        let seen = place.map(|place| (place, terms.seen(place, all)));
        for head in 0..heads {
            let mut scores = vec![0f32; all];
            if let Some((place, (row, seen))) = seen {
                let (seen, unseen) = scores.split_at_mut(seen);
                terms.add(seen, place, row, head);
                unseen.fill(UNSEEN);
            }
            added.extend(scores);
        }
        rows.push(seen.map_or(0, |(_, (row, _))| row as u32));
        kept.push(if place.is_some() { 1f32 } else { 0. });
    }
    let rows = Tensor::from_vec(rows, tokens, device)?;
    let added = Tensor::from_vec(added, (tokens, heads, 1, all), device)?.to_dtype(q.dtype())?;
    let kept = Tensor::from_vec(kept, (tokens, 1), device)?.to_dtype(q.dtype())?;
    // [tokens, heads, all, d]: every token has a copy of its row's keys.
    let of_rows = |x: &Tensor| -> Result<Tensor> {
        let x = x.contiguous()?.index_select(&rows, 0)?;
        Ok(x.reshape((tokens, all, heads, d))?.transpose(1, 2)?.contiguous()?)
    };
    let queries = q.contiguous()?.reshape((tokens, heads, 1, d))?;
    let scores = queries.matmul(&of_rows(&memory.keys)?.t()?.contiguous()?)?.broadcast_add(&added)?;
    let found = ops::softmax_plain(&scores)?.matmul(&of_rows(&memory.values)?)?.reshape((tokens, width))?;
    Ok(found.broadcast_mul(&kept)?.reshape(q.shape())?)
}
