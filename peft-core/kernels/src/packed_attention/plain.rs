//! The same attention by candle's own operations: any device, any float type, and the specification of the fused one.

use candle_core::{Result, Tensor};

use super::positions::TokenPosition;
use super::scores::PackedAttention;
use crate::softmax::softmax_plain;
use crate::transfer::upload;

/// A score far below all others, so that `exp` of it is exactly 0.
const UNSEEN: f32 = -1e9;

/// [`packed_attention`](super::packed_attention) by candle's own operations.
///
/// # Errors
///
/// As [`packed_attention`](super::packed_attention).
pub fn packed_attention_plain(q: &Tensor, (k, v): (&Tensor, &Tensor), options: &PackedAttention<'_>) -> Result<Tensor> {
    let (all, width) = options.key_dims(q, (k, v))?;
    let tokens = options.tokens.0.len();
    let (heads, device) = (options.heads, q.device());
    let d = width / heads.max(1);
    let seen = |token: &Option<TokenPosition>| token.map_or(0..0, |token| options.seen(token, all));
    let most = options.tokens.0.iter().map(|token| seen(token).len()).max().unwrap_or_default().max(1);
    // Every token has as many keys as the one that sees most: its own first, then others, which are masked.
    let mut keys = Vec::with_capacity(tokens * most);
    let mut added = Vec::with_capacity(tokens * heads * most);
    let mut kept = Vec::with_capacity(tokens);
    for token in &options.tokens.0 {
        let own = seen(token);
        keys.extend((0..most).map(|key| if key < own.len() { (own.start + key) as u32 } else { 0 }));
        for head in 0..heads {
            let mut scores = vec![0f32; most];
            let (own, others) = scores.split_at_mut(own.len());
            if let Some(token) = token {
                options.add(own, *token, head);
            }
            others.fill(UNSEEN);
            added.extend(scores);
        }
        kept.push(if token.is_some() { 1f32 } else { 0. });
    }
    let keys = upload(keys, tokens * most, device)?;
    let added = upload(added, (tokens, heads, 1, most), device)?.to_dtype(q.dtype())?;
    let kept = upload(kept, (tokens, 1), device)?.to_dtype(q.dtype())?;
    // [tokens, heads, most, d]: every token has a copy of its keys.
    let of_tokens = |x: &Tensor| {
        let x = x.contiguous()?.flatten(0, 1)?.index_select(&keys, 0)?.to_dtype(q.dtype())?;
        x.reshape((tokens, most, heads, d))?.transpose(1, 2)?.contiguous()
    };
    let queries = q.contiguous()?.reshape((tokens, heads, 1, d))?;
    let scores = queries.matmul(&of_tokens(k)?.t()?.contiguous()?)?.broadcast_add(&added)?;
    let found = softmax_plain(&scores)?.matmul(&of_tokens(v)?)?.reshape((tokens, width))?;
    found.broadcast_mul(&kept)?.reshape(q.shape())
}
